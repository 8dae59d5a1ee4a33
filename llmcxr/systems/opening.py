"""Open any system by one string: "phantom", a model directory, or `KIND:PLACE[,key=value...]`.

    phantom                        the model that ships with the package
    runs/lm/model                  a model directory of ours
    file:PREDICTIONS.csv           what a model wrote or drew earlier, also .jsonl
    hf:DIRECTORY                   an image-text model of transformers
    openai:URL,model=NAME          an OpenAI-compatible endpoint; key_env=VARIABLE holds its key, and
                                   max_tokens_name, max_tokens, temperature and sends_seed say what is sent
    prior:DATASET                  no model: what a dataset's words say most often, whatever the image

Knows the kinds' names, not how they work. No message repeats the string: somebody may have put a key in it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from llmcxr.common.device import choose_device
from llmcxr.common.errors import UserError
from llmcxr.common.files import telling_read_failures
from llmcxr.common.specs import Entry, call_opener, find_opener, list_keys, list_needed, parse_spec

if TYPE_CHECKING:
    from llmcxr.predictor import System

# kind: what opens it. It takes the place first; its other parameters are the keys, needed where they have no
# default, and one called `device` is given "cpu" or "cuda". A plug-in may add a kind.
KINDS: dict[str, Entry] = {
    "file": ("llmcxr.systems.prediction_file", "Predictions.read"),
    "hf": ("llmcxr.systems.hugging_face", "HuggingFaceSystem.from_pretrained"),
    "openai": ("llmcxr.systems.openai_endpoint", "open_endpoint"),
    "prior": ("llmcxr.systems.text_prior", "TextPrior.learn"),  # its place is a dataset's whole string
}
FORMS = (
    "phantom, a model directory, file:PATH, hf:DIRECTORY, openai:URL,model=NAME[,key_env=VARIABLE], "
    "prior:DATASET"
)


def open_system(name: str, device: str = "auto") -> System:
    """Open what a string names, see this file's head.

    device: "auto" (a GPU where there is one), "cpu" or "cuda"; for models that run here. Raises UserError for
    an unknown kind or key, and what the system itself raises on a bad place.
    """
    if name == "phantom" or os.path.isdir(name):
        from llmcxr import CXR

        return CXR.from_pretrained(name, choose_device(device))
    if ":" not in name:
        raise UserError(f"expected a system ({FORMS}), found {name!r}, which is no directory; correct it")
    kind = parse_spec(name).kind
    if kind not in KINDS:
        added = "".join(f", {kind}:PLACE" for kind in KINDS if f"{kind}:" not in FORMS)
        raise UserError(f"expected a system ({FORMS}{added}), found the kind {kind!r}; correct it")
    opener = find_opener(KINDS[kind])
    keys = list_keys(opener)
    spec = parse_spec(name, has_keys=bool(keys))
    if unknown := [key for key in spec.settings if key not in keys]:
        raise UserError(f"expected a key of {kind} ({', '.join(keys)}), found {unknown[0]!r}; correct it")
    if not spec.place:
        raise UserError(f"expected {kind}:PLACE, found no place after {kind}:; name it")
    for key in list_needed(opener):
        if not spec.settings.get(key):
            raise UserError(f"expected {kind}:PLACE,{key}=..., found no {key}; name it")
    with telling_read_failures(kind):
        return call_opener(opener, replace(spec, text=f"{kind}:"), lambda: choose_device(device))
