"""Build the model that a training begins with: from random weights, from a pretrained language model, or from
a model directory of this package.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from llmcxr.common.errors import UserError
from llmcxr.common.pretrained import load_pretrained
from llmcxr.model.bases import find_family
from llmcxr.model.directory import load
from llmcxr.model.growth import expand_depth
from llmcxr.model.unified import LMConfig, UnifiedModel
from llmcxr.prompts import PromptTemplate, PromptTokenizer
from llmcxr.prompts.vocabulary import add_image_tokens, train_text_tokenizer
from vqgan import VQGAN
from vqgan.files import share, unfinished_folder


def build_model(
    config: LMConfig,
    template: PromptTemplate,
    image_tokenizer: VQGAN,
    texts: Iterable[str],
    seed: int,
    kept_tokenizer: Path | None = None,
) -> tuple[UnifiedModel, PromptTokenizer]:
    """Build the model of `config` in training mode, and the tokenizer of its prompts.

    template and texts are for a model without `start`: what its prompts look like, and what a model without
    `base` trains its text tokenizer on. That is kept in `kept_tokenizer`, from where a run that is resumed
    has it, whatever its texts are now. Raises UserError where `start` or `base` is not a model that fits.
    """
    if config.start:
        return _load_start(config, image_tokenizer)
    prompt_tokenizer = _build_prompt_tokenizer(config, template, image_tokenizer, texts, kept_tokenizer)
    vocabulary = prompt_tokenizer.vocabulary
    if config.base:
        return UnifiedModel.with_new_image_tokens(_load_base(config.base), vocabulary), prompt_tokenizer
    model = UnifiedModel.from_config(config, vocabulary, prompt_tokenizer.end_ids[-1])
    generator = torch.Generator().manual_seed(seed)
    model.image_table.initialise(image_tokenizer.quantizer.codebook().cpu(), generator)
    return model, prompt_tokenizer


def _build_prompt_tokenizer(
    config: LMConfig,
    template: PromptTemplate,
    image_tokenizer: VQGAN,
    texts: Iterable[str],
    kept_tokenizer: Path | None,
) -> PromptTokenizer:
    if config.base:
        text_tokenizer = _from_pretrained(AutoTokenizer, config.base)
    else:
        size = config.text_vocabulary_size
        if kept_tokenizer is None or not kept_tokenizer.is_dir():
            text_tokenizer = train_text_tokenizer(texts, size, template.control_words, template.end)
            _keep(text_tokenizer, kept_tokenizer)
        else:
            text_tokenizer = _load_kept(kept_tokenizer)
    grid, codebook_size = image_tokenizer.config.grid, image_tokenizer.config.codebook_size
    tokenizer, vocabulary = add_image_tokens(text_tokenizer, grid, codebook_size, config.has_cell_tokens)
    return PromptTokenizer(tokenizer, vocabulary, template)


def _keep(text_tokenizer: PreTrainedTokenizerFast, directory: Path | None) -> None:
    """Save it whole; of the processes of one training the first to come does."""
    if directory is None:
        return
    with unfinished_folder(directory) as folder, suppress(OSError):  # another's is there
        text_tokenizer.save_pretrained(folder)
        share(folder)
        folder.rename(directory)


def _load_kept(directory: Path) -> PreTrainedTokenizerFast:
    try:
        return load_pretrained(AutoTokenizer, directory)
    except Exception as error:  # transformers answers damaged files with any kind of error
        raise UserError(
            f"{directory}: expected the text tokenizer of the run, found a damaged one "
            f"({type(error).__name__}); restore it from a copy, or choose another run_dir"
        ) from error


def _load_base(path: str) -> Any:
    family = find_family(_from_pretrained(AutoConfig, path).model_type)
    return _from_pretrained(AutoModelForCausalLM, path, dtype=family.dtype)


def _from_pretrained(loader: type, path: str, **settings) -> Any:
    try:
        return load_pretrained(loader, path, **settings)
    except UserError:
        raise
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"model.base={path}: not a Hugging Face model directory ({error})") from error


def _load_start(config: LMConfig, image_tokenizer: VQGAN) -> tuple[UnifiedModel, PromptTokenizer]:
    bundle = load(config.start)
    if bundle.image_tokenizer.fingerprint != image_tokenizer.fingerprint:
        raise UserError(
            f"model.start={config.start} knows the codes of image tokenizer "
            f"{bundle.image_tokenizer.fingerprint[:16]}, the run's tokenizer is "
            f"{image_tokenizer.fingerprint[:16]}; give tokenizer={config.start}/image_tokenizer"
        )
    if config.expand_depth_to:
        try:
            expand_depth(bundle.model, config.expand_depth_to)
        except ValueError as error:
            raise UserError(f"model.expand_depth_to={config.expand_depth_to}: {error}") from error
    return bundle.model.train(), bundle.prompt_tokenizer
