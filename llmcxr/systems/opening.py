"""Open any system by one string: "phantom", a model directory, or `KIND:PLACE[,key=value...]`.

    phantom                        the model that ships with the package
    runs/lm/model                  a model directory of ours
    file:PREDICTIONS.csv           what a model wrote or drew earlier, also .jsonl
    hf:DIRECTORY                   an image-text model of transformers
    openai:URL,model=NAME          an OpenAI-compatible endpoint; key_env=VARIABLE holds its key
    prior:DATASET                  no model: what a dataset's words say most often, whatever the image

Knows the kinds' names, not how they work.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from llmcxr.common.device import choose_device
from llmcxr.common.errors import UserError

if TYPE_CHECKING:
    from llmcxr.predictor import System

KINDS = {  # kind: the keys that it takes
    "file": (),
    "hf": (),
    "openai": ("model", "key_env"),
    "prior": (),  # keys are its dataset's
}
FORMS = (
    "phantom, a model directory, file:PATH, hf:DIRECTORY, openai:URL,model=NAME[,key_env=VARIABLE], "
    "prior:DATASET"
)


def open_system(name: str, device: str = "auto") -> System:
    """See this file's head. device: "auto" (a GPU where there is one), "cpu" or "cuda"; for models run here.

    Raises UserError for an unknown kind or key, and what the system itself raises on a bad place.
    """
    kind, place, settings = _parse(name)
    if kind == "file":
        from llmcxr.systems.prediction_file import Predictions

        return Predictions.read(place)
    if kind == "hf":
        from llmcxr.systems.hugging_face import HuggingFaceSystem

        return HuggingFaceSystem.from_pretrained(place, choose_device(device))
    if kind == "openai":
        from llmcxr.systems.openai_endpoint import OpenAIEndpoint

        if not settings.get("model"):
            raise UserError(f"expected openai:URL,model=NAME, found no model in {name!r}; name it")
        return OpenAIEndpoint(place, **settings)
    if kind == "prior":
        from llmcxr.systems.text_prior import TextPrior

        return TextPrior.learn(place)
    from llmcxr import CXR

    return CXR.from_pretrained(place, choose_device(device))


def _parse(name: str) -> tuple[str, str, dict[str, str]]:
    """`openai:URL,model=NAME` -> ("openai", "URL", {"model": "NAME"}); kind "" for a model of ours."""
    kind, colon, rest = name.partition(":")
    if not colon or Path(name).is_dir():
        if name != "phantom" and not Path(name).is_dir():
            raise UserError(f"expected a system ({FORMS}), found {name!r}, which is no directory; correct it")
        return "", name, {}
    if kind not in KINDS:
        raise UserError(f"expected a system ({FORMS}), found the kind {kind!r}; correct it")
    parts = rest.split(",")
    settings: dict[str, str] = {}
    while len(parts) > 1 and KINDS[kind] and re.match(r"\w+=", parts[-1]):
        key, _, value = parts.pop().partition("=")
        if key not in KINDS[kind]:
            raise UserError(
                f"expected a key of {kind} ({', '.join(KINDS[kind])}), found {key!r} in {name!r}; correct it"
            )
        settings[key] = value
    place = ",".join(parts).strip()
    if not place:
        raise UserError(f"expected {kind}:PLACE, found no place after {name!r}; name it")
    return kind, place, settings
