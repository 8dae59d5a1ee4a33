"""Read and write model directories: a plain Hugging Face causal-LM directory plus `image_tokenizer/` and
`llmcxr.json`.

`AutoModelForCausalLM` and `AutoTokenizer` load it without this package. A compact directory holds the same
model with the image embeddings still factored (`compact.safetensors`), some megabytes in place of tens: what
ships with the package. Loading either gives the same model; saving a compact one writes every embedding out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

import llmcxr
from llmcxr.common.errors import UserError
from llmcxr.common.files import check_writable, telling_write_failures
from llmcxr.common.pretrained import hide_bars, load_pretrained, refuse_code
from llmcxr.images.checks import ImageSummary, read_summary, write_summary
from llmcxr.model.image_table import FactoredImageTable
from llmcxr.model.judges import fingerprint, read_loss_networks, write_loss_networks
from llmcxr.model.unified import UnifiedModel
from llmcxr.outputs.notices import DISCLAIMER
from llmcxr.prompts import TEMPLATES, PromptTokenizer
from llmcxr.prompts.vocabulary import ImageVocabulary
from vqgan import VQGAN
from vqgan.files import replace_folder, restore_earlier, share, unfinished_folder
from vqgan.finite import check_weights
from vqgan.json_text import from_json, to_json
from vqgan.processes import one_at_a_time
from vqgan.shipped import SHIPPED, find_directory

COMPACT_FILE = "compact.safetensors"
CARD_FILE = "llmcxr.json"
SETTINGS_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json")
OWN_NAMES = re.compile(  # of what a model directory holds; what else is there, a user put there
    r"(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|llmcxr)\.json"
    r"|merges\.txt|chat_template\.jinja|model.*\.safetensors(\.index\.json)?|compact\.safetensors|image_tokenizer"
)
OLD_DIGEST = "weights_sha256"  # one for all weights, in cards from before "files_sha256" knew them
CARD_TYPES = {  # what the card must hold, and as what
    "vocabulary": dict,
    "template": str,
    "image_tokenizer_fingerprint": str,
    "provenance": dict,
}

OLD_NAMES = {"has_cell_words": "has_cell_tokens"}  # of the card's vocabulary, as older versions wrote them


@dataclass
class Bundle:
    """Holds everything of one model directory."""

    model: UnifiedModel
    prompt_tokenizer: PromptTokenizer
    image_tokenizer: VQGAN
    # data, command, seed, figures; shown by `llmcxr info`
    provenance: dict[str, Any] = field(default_factory=dict)
    training_images: ImageSummary | None = None  # of the image tokenizer; None where none was kept
    loss_networks: dict[str, str] = field(default_factory=dict)  # of the image tokenizer

    def to(self, device: str | torch.device) -> Bundle:
        self.model.to(device)
        self.image_tokenizer.to(device)
        return self


def has_compact_form(model: UnifiedModel) -> bool:
    """Tell whether the embeddings of its image tokens are factored and shared by its input and its output.

    A model that was loaded from a plain directory has no longer, nor has one of a pretrained base.
    """
    return isinstance(model.image_table, FactoredImageTable) and model.text_head is None


def save(bundle: Bundle, directory: str | Path, compact: bool = False) -> Path:
    """Write a model directory, whole or not at all. `compact` is for a model that `has_compact_form`."""
    if compact and not has_compact_form(bundle.model):
        raise UserError(
            "only a model with factored image embeddings, tied to the output embeddings, can be saved compact"
        )
    directory = Path(directory)
    with _written_whole(directory) as partial:
        _save_language_model(bundle.model, partial, compact)
        bundle.prompt_tokenizer.tokenizer.save_pretrained(partial)
        bundle.image_tokenizer.save_pretrained(partial / "image_tokenizer")
        if bundle.training_images is not None:
            write_summary(partial / "image_tokenizer", bundle.training_images)
        write_loss_networks(partial / "image_tokenizer", bundle.loss_networks)
        card = _card(bundle, _sha256s(partial))
        (partial / CARD_FILE).write_text(to_json(card, indent=2) + "\n")
    return directory


def load(directory: str | Path) -> Bundle:
    """Read a model directory, compact or plain. Raises UserError naming the file that is missing or was
    altered.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(
            f"{directory}: no such model directory; give a directory saved by llmcxr, or the name 'phantom'"
        )
    card = _read_card(directory)
    refuse_code(directory)
    image_tokenizer = load_image_tokenizer(directory / "image_tokenizer")
    if image_tokenizer.fingerprint != card["image_tokenizer_fingerprint"]:
        raise UserError(
            f"{directory / 'image_tokenizer'}: the model was trained with image tokenizer "
            f"{card['image_tokenizer_fingerprint'][:12]}, found {image_tokenizer.fingerprint[:12]}; "
            "restore the original"
        )
    _check_files(directory, card)
    vocabulary = _read_vocabulary(directory, card)
    model = _load_language_model(directory, vocabulary).eval()
    check_weights(model, f"{directory}: the language model")
    tokenizer = _load_text_tokenizer(directory)
    if len(tokenizer) != vocabulary.size:
        raise UserError(
            f"{directory / 'tokenizer.json'}: expected {vocabulary.size} tokens, found {len(tokenizer)}"
        )
    prompt_tokenizer = PromptTokenizer(tokenizer, vocabulary, TEMPLATES[card["template"]])
    made_by = directory / "image_tokenizer"
    return Bundle(
        model,
        prompt_tokenizer,
        image_tokenizer,
        card["provenance"],
        read_summary(made_by),
        read_loss_networks(made_by),
    )


def load_image_tokenizer(directory_or_name: str | Path) -> VQGAN:
    """Load the image tokenizer that `find_image_tokenizer` finds. Raises UserError where it is none."""
    return VQGAN.from_pretrained(find_image_tokenizer(directory_or_name))


def find_image_tokenizer(directory_or_name: str | Path) -> Path:
    """Find the directory of an image tokenizer: itself, that inside a model directory, or by name one that
    ships.

    The names are "phantom" and those of `vqgan.shipped`. Raises UserError for a bare name that is neither.
    """
    path = Path(directory_or_name)
    if str(path) == "phantom" and not path.is_dir():
        path = Path(str(files("llmcxr") / "pretrained" / "phantom"))
    if (path / CARD_FILE).is_file():
        return path / "image_tokenizer"
    try:
        return find_directory(path)
    except UserError as error:
        raise UserError(f"{error}; the tokenizer of the embedded model is called phantom") from error


def is_image_tokenizer(directory_or_name: str | Path) -> bool:
    """Tell whether a directory, or a name that ships, is an image tokenizer alone, without a model around."""
    path = Path(directory_or_name)
    if not path.exists():
        return str(path) in SHIPPED
    try:
        description = from_json((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(description, dict) and str(description.get("format")).startswith("vqgan-")


def _save_language_model(model: UnifiedModel, directory: Path, compact: bool) -> None:
    # the decoder's own config knows the text rows only; what is saved speaks for the whole vocabulary
    config = AutoConfig.for_model(**{**model.decoder.config.to_dict(), "vocab_size": model.vocabulary.size})
    if compact:
        config.save_pretrained(directory)
        tensors = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
        save_file(tensors, directory / COMPACT_FILE, metadata={"format": "pt"})
        return
    with torch.device("meta"):
        full = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    rows, head_rows = model.all_embeddings()
    embedding = nn.Embedding.from_pretrained(rows.detach())
    full.base_model.load_state_dict(
        {**model.decoder.state_dict(), _embedding_name(full): rows.detach()}, assign=True
    )
    full.set_input_embeddings(embedding)
    head = full.get_output_embeddings()
    head.weight = embedding.weight if head_rows is None else nn.Parameter(head_rows.detach())
    with hide_bars():
        full.save_pretrained(directory)


def _embedding_name(full: nn.Module) -> str:
    rows = full.get_input_embeddings().weight
    return next(name for name, parameter in full.base_model.named_parameters() if parameter is rows)


def _load_language_model(directory: Path, vocabulary: ImageVocabulary) -> UnifiedModel:
    compact = directory / COMPACT_FILE
    try:
        if not compact.is_file():
            model = load_pretrained(AutoModelForCausalLM, directory, dtype=torch.float32)
            return UnifiedModel.from_causal_lm(model, vocabulary)
        config = load_pretrained(AutoConfig, directory)
        config.vocab_size = vocabulary.image_token_offset
        decoder = AutoModel.from_config(config, trust_remote_code=False)
        model = UnifiedModel(decoder, vocabulary, FactoredImageTable(vocabulary, config.hidden_size))
        model.load_state_dict(load_file(compact))
        return model
    except UserError:
        raise
    except Exception as error:  # transformers answers other values in a config with any kind of error
        raise UserError(
            f"{directory}: the weights are not the model that config.json describes ({error}); "
            "copy the directory again"
        ) from error


def _load_text_tokenizer(directory: Path):
    try:
        return load_pretrained(AutoTokenizer, directory)
    except Exception as error:  # transformers answers damaged files with any kind of error
        raise UserError(
            f"{directory}: expected a text tokenizer in tokenizer.json and tokenizer_config.json, found one "
            f"that is damaged ({type(error).__name__}); copy the directory again"
        ) from error


def _sha256s(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of settings and of weights (large models are saved in several)."""
    weights = sorted(path.name for path in directory.glob("*.safetensors"))
    for name in SETTINGS_FILES:
        if not (directory / name).is_file():
            raise UserError(
                f"{directory / name}: missing; the model directory is incomplete, export or copy it again"
            )
    if not weights:
        raise UserError(
            f"{directory}: neither model.safetensors nor {COMPACT_FILE} is there; the weights are missing"
        )
    return {name: fingerprint(directory / name) for name in (*SETTINGS_FILES, *weights)}


def _check_files(directory: Path, card: dict[str, Any]) -> None:
    """Raise UserError naming the first file that is not the one that the card knows."""
    expected, found = card.get("files_sha256", {}), _sha256s(directory)
    for name, sha256 in found.items():
        if expected.get(name, sha256) != sha256:
            raise UserError(
                f"{directory / name}: expected the file that {CARD_FILE} knows, of SHA-256 "
                f"{str(expected[name])[:12]}, found one of another SHA-256, {sha256[:12]}: altered or cut "
                "short. Copy it again, or, if it was changed on purpose, take its name out of "
                '"files_sha256" there'
            )
    weights = b"".join(bytes.fromhex(found[name]) for name in found if name not in SETTINGS_FILES)
    if card.get(OLD_DIGEST, "") not in ("", hashlib.sha256(weights).hexdigest()):
        raise UserError(
            f"{directory}: the weights are not those of {CARD_FILE} (another SHA-256): altered or cut short. "
            f'Copy it again, or, if they were fine-tuned on purpose, set "{OLD_DIGEST}" to "" there'
        )


def _card(bundle: Bundle, files_sha256: dict[str, str]) -> dict[str, Any]:
    return {
        "llmcxr_version": llmcxr.__version__,
        "notice": DISCLAIMER,
        "vocabulary": asdict(bundle.model.vocabulary),
        "template": bundle.prompt_tokenizer.template.name,
        "image_tokenizer_fingerprint": bundle.image_tokenizer.fingerprint,
        "files_sha256": files_sha256,
        "provenance": bundle.provenance,
    }


def _read_card(directory: Path) -> dict[str, Any]:
    path = directory / CARD_FILE
    if not path.is_file():
        inside = directory / "model"
        advice = f"; did you mean {inside}?" if (inside / CARD_FILE).is_file() else ""
        raise UserError(f"{path}: missing; {directory.name} is not a model directory saved by llmcxr{advice}")
    try:
        card = from_json(path.read_text(encoding="utf-8"))
        missing = set(CARD_TYPES) - set(card)
    except (ValueError, TypeError) as error:  # ValueError: neither JSON nor text
        raise UserError(f"{path}: not readable as JSON ({error}); copy the directory again") from error
    if missing:
        raise UserError(f"{path}: lacks {', '.join(sorted(missing))}; copy the directory again")
    for name, kind in (CARD_TYPES | {"files_sha256": dict, OLD_DIGEST: str}).items():
        if not isinstance(card.get(name, kind()), kind):
            raise UserError(
                f"{path}: expected {name} as {kind.__name__}, found {type(card[name]).__name__}; "
                "copy the directory again"
            )
    if card["template"] not in TEMPLATES:
        raise UserError(
            f"{path}: expected a template among {', '.join(TEMPLATES)}, found {card['template']!r}; "
            "copy the directory again, or install the llmcxr that made it"
        )
    return card


def _read_vocabulary(directory: Path, card: dict[str, Any]) -> ImageVocabulary:
    try:
        vocabulary = {OLD_NAMES.get(name, name): value for name, value in card["vocabulary"].items()}
        return ImageVocabulary(**{**vocabulary, "grid": tuple(vocabulary["grid"])})
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{directory / CARD_FILE}: the vocabulary is not one of image tokens ({error}); "
            "copy the directory again"
        ) from error


@contextmanager
def _written_whole(directory: Path) -> Iterator[Path]:
    """Yield a directory beside `directory` that takes its place when everything was written.

    Raises UserError where there is something else than a model directory, or where nothing can be written.
    """
    directory = directory.absolute()
    is_model = (directory / CARD_FILE).is_file()
    if directory.exists() and not is_model and (not directory.is_dir() or any(directory.iterdir())):
        raise UserError(
            f"{directory}: expected a new or empty folder, or an earlier model directory; choose another name"
        )
    check_writable(directory.with_name(f"{directory.name}.new"))
    restore_earlier(directory)
    lock = one_at_a_time(directory.with_name(f".{directory.name}.lock"), directory, waits=True)
    with lock, unfinished_folder(directory) as partial:
        with telling_write_failures(directory, "free some space or choose another place"):
            yield partial
        share(partial)
        replace_folder(directory, partial, OWN_NAMES)
