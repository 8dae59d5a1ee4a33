"""Choose and word the k-th item of a training of the language model. Knows no model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from llmcxr.codes.store import CodeStore
from llmcxr.common.errors import UserError
from llmcxr.data import Dataset, find_frontal
from llmcxr.prompts import PromptTokenizer
from llmcxr.reports import to_text
from llmcxr.training.examples import (
    Example,
    ExampleConfig,
    collate,
    drawing_example,
    reading_example,
    shorten,
)

RATED_STUDIES = 256  # that the base rates of findings are measured on
logger = logging.getLogger(__name__)


class StepExamples(TorchDataset):
    """Gives as item k of `num_items` the k-th study of the run in both directions, worded by (seed, k)."""

    def __init__(
        self,
        dataset: Dataset,
        store: CodeStore,
        prompt_tokenizer: PromptTokenizer,
        config: ExampleConfig,
        seed: int,
        num_items: int,
        with_finding_maps: bool = False,
        indices: Sequence[int] | None = None,
    ) -> None:
        """Raises UserError where `store` holds no study of `dataset`.

        with_finding_maps: examples say which findings each cell of their image holds. indices: the studies to
        use, all where None.
        """
        self.dataset, self.store = dataset, store
        self.prompt_tokenizer, self.config = prompt_tokenizer, config
        self.seed, self.num_items, self.with_finding_maps = seed, num_items, with_finding_maps
        used = range(len(dataset)) if indices is None else indices
        image_ids = ((index, _image_id(dataset, index)) for index in used)
        self.studies = [(index, image_id) for index, image_id in image_ids if image_id in store]
        if not self.studies:
            raise UserError(f"{dataset.name}: no study has an image that could be encoded")
        self.has_warned = False

    def __len__(self) -> int:
        return self.num_items

    def __getitem__(self, item: int) -> dict[str, Example]:
        rng = np.random.default_rng(np.random.SeedSequence((self.seed, item)))
        index, image_id = self.studies[self._shuffled(item)]
        augmentations = self.store[image_id]
        codes = augmentations[int(rng.integers(len(augmentations)))]
        texts = self.dataset.texts(index, rng)
        examples = {
            "drawing": drawing_example(self.prompt_tokenizer, codes, texts, rng, self.config),
            "reading": reading_example(self.prompt_tokenizer, codes, texts, rng, self.config),
        }
        if self.with_finding_maps:
            finding_map = _flat_finding_map(self.dataset, index, codes.shape)
            examples = {name: replace(one, finding_map=finding_map) for name, one in examples.items()}
        if rng.random() >= self.config.reading_share:
            del examples["reading"]
        longest = self.config.max_length
        asked = {name: one for name, one in examples.items() if one.turns}
        shortened = {name: shorten(one, longest) for name, one in asked.items()}
        examples = {name: one for name, one in shortened.items() if one.turns}
        self._warn_once_if(len(examples) < len(asked))
        return examples

    def collate(self, items: list[dict[str, Example]]) -> dict[str, dict[str, Tensor]]:
        """Make a batch for each direction that has examples, under the keys drawing and reading.

        Raises UserError where every example was too long.
        """
        vocabulary, pad_id = self.prompt_tokenizer.vocabulary, self.prompt_tokenizer.end_ids[-1]
        named = {
            name: [examples[name] for examples in items if name in examples]
            for name in ("drawing", "reading")
        }
        batch = {name: collate(examples, vocabulary, pad_id) for name, examples in named.items() if examples}
        longest = self.config.max_length
        if not batch:
            raise UserError(f"every example of a batch is longer than max_length {longest}; raise it")
        return batch

    def base_rates(self) -> Tensor:
        """Return how much of a cell each finding covers on average over the first studies, (findings,)."""
        grid = self.prompt_tokenizer.vocabulary.grid
        first = [_flat_finding_map(self.dataset, index, grid) for index, _ in self.studies[:RATED_STUDIES]]
        return torch.from_numpy(np.mean(first, axis=(0, 1)))

    def _warn_once_if(self, is_any_too_long: bool) -> None:
        if is_any_too_long and not self.has_warned:
            self.has_warned = True
            limit = self.config.max_length
            logger.warning("examples of more than max_length=%d tokens are left out of the training", limit)

    def _shuffled(self, item: int) -> int:
        epoch, place = divmod(item, len(self.studies))
        if getattr(self, "_epoch", None) != epoch:
            self._epoch = epoch
            order = np.random.default_rng(np.random.SeedSequence((self.seed, epoch, 1)))
            self._order = order.permutation(len(self.studies))
        return int(self._order[place])


def choose_studies(dataset: Dataset, config: ExampleConfig) -> list[int]:
    """Choose the studies that have words, where the examples use any; what is left out is counted.

    Raises UserError where no study has words.
    """
    every = list(range(len(dataset)))
    if dataset.is_synthetic or not config.uses_texts:
        return every
    worded = [index for index in every if _has_words(dataset, index)]
    if not worded:
        raise UserError(
            f"{dataset.name}: expected studies with a text, found none among {len(every)}; give them "
            "reports, or train on images alone: examples.reading_share=0 examples.condition_dropout=1"
        )
    if len(worded) < len(every):
        logger.warning(
            "%s: %d of %d studies have no text and are left out of the training",
            dataset.name, len(every) - len(worded), len(every),
        )  # fmt: skip
    return worded


def _has_words(dataset: Dataset, index: int) -> bool:
    texts = dataset.texts(index, np.random.default_rng(0))
    return any(words.strip() for words in (to_text(texts.report), texts.request)) or bool(texts.questions)


def _flat_finding_map(dataset: Dataset, index: int, grid: tuple[int, int]) -> np.ndarray:
    """Return the dataset's map of a study, (cells, findings)."""
    finding_map = dataset.finding_map(index, grid)  # (findings, rows, columns)
    return finding_map.reshape(len(finding_map), -1).T


def _image_id(dataset: Dataset, index: int) -> str:
    radiograph = find_frontal(dataset.identify(index))
    return radiograph.image_id if radiograph else ""
