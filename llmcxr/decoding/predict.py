"""`CXR` is one model that reads and draws: pictures and sentences become prompts, and tokens become these.

    from llmcxr import CXR
    cxr = CXR.from_pretrained("phantom")
    cxr.report("chest.png").text;  cxr.answer("chest.png", "Is there a pneumothorax?").text
    cxr.draw("Large right pleural effusion.", seed=0).image

Research software, not a medical device.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch

import llmcxr
from llmcxr import images
from llmcxr.common.device import choose_device
from llmcxr.common.errors import UserError
from llmcxr.common.files import telling_read_failures
from llmcxr.data import find_kind
from llmcxr.decoding import engine
from llmcxr.decoding.settings import DrawSettings, Sampling
from llmcxr.model.directory import Bundle, load, save
from llmcxr.outputs.notices import REPETITIVE
from llmcxr.predictor import ABILITIES, AnswerResult, DrawResult, ReportResult, System
from llmcxr.prompts import DRAW, REPORT, SUMMARY
from llmcxr.prompts.parts import ImageCodes, Prompt, TokenIds, num_tokens
from llmcxr.reports import exchange_sides, is_repetitive, parse_sections

EMBEDDED = ("phantom",)  # names of models that ship with the package
MAX_REPORT_TOKENS = 256
_SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s|$)|\n|$)", re.DOTALL)
BATCH_ROWS = 64  # rows decoded at once; a longer list is worked through in batches


class CXR(System):
    """Read and draw with one model, loaded once. Inputs are one or a list; a list in gives a list out."""

    abilities = frozenset(ABILITIES)
    is_adjustable = True

    def __init__(self, bundle: Bundle, name: str = "") -> None:
        self._bundle = bundle
        self.name = name
        self.model = bundle.model.eval()
        self.prompt_tokenizer = bundle.prompt_tokenizer
        self.image_tokenizer = bundle.image_tokenizer.eval()

    @classmethod
    def from_pretrained(cls, directory_or_name: str | Path, device: str = "cpu") -> CXR:
        """Load a model directory, or the model of a name that ships with the package ("phantom"), to a device
        ("auto": cuda where there is a usable GPU).
        """
        name, device = str(directory_or_name), choose_device(device)
        if name in EMBEDDED:
            return cls(load(Path(str(files("llmcxr") / "pretrained" / name))).to(device), name)
        with telling_read_failures(name):
            return cls(load(name).to(device), name)

    def save_pretrained(self, directory: str | Path) -> Path:
        """Write a plain Hugging Face directory: `AutoModelForCausalLM` and `AutoTokenizer` load it without
        this package.
        """
        return save(self._bundle, directory)

    @property
    def provenance(self) -> dict[str, Any]:
        return self._bundle.provenance

    @property
    def loss_networks(self) -> dict[str, str]:
        """Map fingerprint -> name of the networks that may not judge this model, see llmcxr.model.judges."""
        return self._bundle.loss_networks

    @property
    def is_phantom_trained(self) -> bool:
        """Tell whether it was trained on phantoms alone; its text on real radiographs then means nothing."""
        return find_kind(str(self.provenance.get("dataset", ""))) == "phantom"

    # -- reading ------------------------------------------------------------

    def report(
        self,
        image,
        seed: int = 0,
        temperature: float = 0.0,
        top_p: float = 1.0,
        instruction: str = REPORT.instructions[0],
    ):
        """Write the report of one image or of each of a list; temperature 0 is the likeliest wording.

        An image is a path, bytes, a file object, a Pillow image, a pydicom dataset, an array or a tensor, see
        `images.read_with_header`; an array (B, H, W) and an array or tensor (B, C, H, W) are lists.
        """
        opened, is_list = self._open(image)
        self._check_text(instruction, "instruction")
        prompts = [self.prompt_tokenizer.prompt(instruction, ImageCodes(codes)) for codes, _ in opened]
        written = self._write(prompts, seed, Sampling(temperature, top_p=top_p))
        results = [
            ReportResult(text, ids, score, seed, warnings + _warn(text), report=parse_sections(text))
            for (text, ids, score), (_, warnings) in zip(written, opened, strict=True)
        ]
        return results if is_list else results[0]

    def answer(self, image, question, seed: int = 0, temperature: float = 0.0, top_p: float = 1.0):
        """Answer a question about an image.

        Lists of both are taken pair by pair; one of either serves all of the other.
        """
        opened, images_listed = self._open(image)
        questions, questions_listed = _as_list(question)
        for text in questions:
            self._check_text(text, "question")
        if len(opened) == 1 and not images_listed:
            opened = opened * len(questions)
        if len(questions) == 1 and not questions_listed:
            questions = questions * len(opened)
        if len(opened) != len(questions):
            raise UserError(
                f"got {len(opened)} images and {len(questions)} questions; "
                "give as many of both, or one of either"
            )
        prompts = [
            self.prompt_tokenizer.prompt(q, ImageCodes(codes))
            for q, (codes, _) in zip(questions, opened, strict=True)
        ]
        written = self._write(prompts, seed, Sampling(temperature, top_p=top_p))
        results = [
            AnswerResult(text, ids, score, seed, warnings + _warn(text), question=q)
            for (text, ids, score), q, (_, warnings) in zip(written, questions, opened, strict=True)
        ]
        return results if images_listed or questions_listed else results[0]

    def score(self, image, text) -> float | list[float]:
        """Return log p(text | image): how well a text sums up an image, by the model's own reading (nats)."""
        opened, is_list = self._open(image)
        texts, _ = _as_list(text)
        scores = self._score([codes for codes, _ in opened], texts * (len(opened) if len(texts) == 1 else 1))
        return scores if is_list else scores[0]

    def score_sentences(self, image, report: str) -> list[tuple[str, list[float]]]:
        """Return a report's sentences, with the log p of each given what precedes it and each image (nats).

        `image` is one or a list; the list of every sentence has one entry an image.
        """
        opened, _ = self._open(image)
        instruction = REPORT.instructions[0]
        prompts = [self.prompt_tokenizer.prompt(instruction, ImageCodes(codes)) for codes, _ in opened]
        tokens, sentence_of, sentences = self._split_sentences(report)
        scores = []
        for batch in _batches(prompts, BATCH_ROWS):
            scores += engine.score_tokens(self.model, batch, [tokens] * len(batch))
        return [
            (sentence, [float(row.cpu()[sentence_of == place].sum()) for row in scores])
            for place, sentence in enumerate(sentences)
        ]

    def _split_sentences(self, report: str) -> tuple[TokenIds, torch.Tensor, list[str]]:
        """Return the report's tokens, the index of each token's sentence, and the sentences."""
        spans = [match.span() for match in _SENTENCE.finditer(report)]
        if not spans:
            raise UserError("the report is empty; there is no sentence to score")
        encoded = self.prompt_tokenizer.tokenizer(
            report, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
        )
        ends = np.array([stop for _, stop in spans])
        middles = np.array([(start + stop) / 2 for start, stop in encoded.offset_mapping])  # (L,)
        sentence_of = torch.from_numpy(np.searchsorted(ends, middles).clip(max=len(spans) - 1))
        tokens = TokenIds(tuple(encoded.input_ids))
        return tokens, sentence_of, [report[start:stop].strip() for start, stop in spans]

    # -- drawing ------------------------------------------------------------

    def draw(self, text, settings: DrawSettings | None = None, **changes):
        """Draw a radiograph that shows what the text says.

        `changes` are fields of DrawSettings, such as n=4, seed=1, best_of=4 or guidance=3.0, that differ from
        `settings` (the defaults for None). Returns a DrawResult for one text and n=1, else a flat list, the n
        drawings of each text together, with seeds seed .. seed+n-1. The same text, seed and settings give the
        same image whatever else is drawn.
        """
        texts, is_list = _as_list(text)
        settings = replace(settings or DrawSettings(), **changes)
        for one in texts:
            self._check_text(one, "prompt")
        wanted = [(one, settings.seed + i) for one in texts for i in range(settings.n)]
        results = []
        for batch in _batches(wanted, max(1, BATCH_ROWS // (2 * settings.best_of))):
            results += self._draw_batch(batch, settings)
        return results if is_list or settings.n > 1 else results[0]

    def _draw_batch(self, batch: Sequence[tuple[str, int]], settings: DrawSettings) -> list[DrawResult]:
        """Draw best_of candidates for each text and seed; keep that whose own reading fits the text best."""
        best_of = settings.best_of
        candidates = [(text, _candidate_seed(seed, k)) for text, seed in batch for k in range(best_of)]
        codes, log_probabilities = self._draw_codes(candidates, settings)
        reading = self._score(codes, [text for text, _ in candidates]) if best_of > 1 else None
        kept = _best(reading, len(batch), best_of)
        pixels = self._decode([codes[k] for k in kept])
        return [
            DrawResult(
                image=image,
                text=text,
                seed=seed,
                codes=codes[k],
                log_probability=log_probabilities[k],
                reading_score=reading[k] if reading else None,
                recipe={"prompt": text, **settings.recipe(seed), **self._identity()},
            )
            for (text, seed), k, image in zip(batch, kept, pixels, strict=True)
        ]

    def score_image(self, image, text) -> list[float]:
        """Return log p(codes | text) of each image and text (nats); "" asks the unconditional model."""
        opened, _ = self._open(image)
        texts, _ = _as_list(text)
        scores = []
        for batch in _batches(list(zip(opened, texts, strict=True)), BATCH_ROWS):
            prompts = [self._draw_prompt(one) for _, one in batch]
            codes = torch.from_numpy(np.stack([codes.reshape(-1) for (codes, _), _ in batch]))  # (B, N)
            scores += engine.score_images(self.model, prompts, codes).tolist()
        return scores

    # -- parts ------------------------------------------------------------

    def encode(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
        """Encode images (H, W) of any size in [0, 1], letterboxed to the tokenizer's square: (B, h, w)."""
        size = self.image_tokenizer.config.image_size
        fitted = np.stack([images.fit(image, size)[0] for image in pixels]).astype(np.float32)
        with torch.inference_mode():
            codes = [
                self.image_tokenizer.encode(batch[:, None].to(self.model.device)).cpu()
                for batch in torch.from_numpy(fitted).split(BATCH_ROWS)
            ]
        return torch.cat(codes).numpy()  # (B, h, w)

    def _decode(self, codes: Sequence[np.ndarray]) -> np.ndarray:
        with torch.inference_mode():
            pixels = self.image_tokenizer.decode(torch.from_numpy(np.stack(codes)).to(self.model.device))
        return pixels[:, 0].float().cpu().numpy()  # (B, H, W)

    def _open(self, image) -> tuple[list[tuple[np.ndarray, tuple[str, ...]]], bool]:
        """Return codes and warnings of each image, and whether a list was given."""
        given, is_list = _as_list(image)
        if not given:
            raise UserError("no image was given: expected one, or a list of at least one")
        read = [_read(one, place, len(given)) for place, one in enumerate(given, 1)]
        pixels, headers = zip(*read, strict=True)
        warnings = [header.warnings for header in headers]
        return list(zip(self.encode(pixels), warnings, strict=True)), is_list

    def _write(self, prompts, seed: int, sampling: Sampling) -> list[tuple[str, list[int], float]]:
        written = []
        for batch in _batches(prompts, BATCH_ROWS):
            room = self.model.max_positions - max(num_tokens(prompt) for prompt in batch)
            if room < 1:
                raise UserError(
                    f"the prompt leaves no room in the model's {self.model.max_positions} positions"
                )
            generation = engine.generate_text(
                self.model,
                batch,
                [seed] * len(batch),
                sampling,
                self.prompt_tokenizer.end_ids,
                min(MAX_REPORT_TOKENS, room),
            )
            for ids, score in zip(generation.token_ids, generation.log_probabilities.tolist(), strict=True):
                written.append((self.prompt_tokenizer.decode(ids), ids, score))
        return written

    def _draw_codes(
        self, candidates: Sequence[tuple[str, int]], settings: DrawSettings
    ) -> tuple[list[np.ndarray], list[float]]:
        codes, log_probabilities = [], []
        for batch in _batches(candidates, BATCH_ROWS):
            exchanged = {row: exchange_sides(text) for row, (text, _) in enumerate(batch)}
            generation = engine.generate_images(
                self.model,
                [self._draw_prompt(text) for text, _ in batch],
                [seed for _, seed in batch],
                settings.sampling,
                settings.guidance,
                unconditional=self._draw_prompt(""),
                negative_scale=settings.side_guidance,
                negatives={
                    row: self._draw_prompt(text) for row, text in exchanged.items() if text != batch[row][0]
                },
            )
            codes += list(generation.codes.cpu().numpy().reshape(-1, *self.model.vocabulary.grid))
            log_probabilities += generation.log_probabilities.tolist()
        return codes, log_probabilities

    def _draw_prompt(self, text: str) -> Prompt:
        return self.prompt_tokenizer.prompt(DRAW.instructions[0], text)

    def _score(self, codes: Sequence[np.ndarray], texts: Sequence[str]) -> list[float]:
        scores = []
        for batch in _batches(list(zip(codes, texts, strict=True)), BATCH_ROWS):
            instruction = SUMMARY.instructions[0]
            prompts = [self.prompt_tokenizer.prompt(instruction, ImageCodes(one)) for one, _ in batch]
            responses = [self.prompt_tokenizer.response(text) for _, text in batch]
            scores += engine.score_texts(self.model, prompts, responses).tolist()
        return scores

    def _check_text(self, text: str, what: str) -> None:
        if not isinstance(text, str):
            raise UserError(f"expected the {what} as text or a list of texts, found {type(text).__name__}")
        if not text.strip():
            raise UserError(
                f"the {what} is empty; write what it should say, such as 'Large right pleural effusion.'"
            )
        if not _is_text(text):
            raise UserError(f"the {what} holds bytes that are not UTF-8; write it anew")
        # 32: the template's own tokens
        room = self.model.max_positions - self.model.vocabulary.num_cells - 32
        length = len(self.prompt_tokenizer.text(text))
        if length > room:
            raise UserError(
                f"the {what} is {length} tokens long; this model takes at most {room}. Shorten it"
            )

    def _identity(self) -> dict[str, str]:
        return {
            "model": self.name,
            "image_tokenizer": self.image_tokenizer.fingerprint[:16],
            "llmcxr_version": llmcxr.__version__,
        }


def _read(image, place: int, number: int) -> tuple[np.ndarray, images.ImageHeader]:
    """Read one image of a list; what is no file has no name of its own, so that its place is said."""
    try:
        return images.read_with_header(image)
    except UserError as error:
        if number == 1 or isinstance(image, str | os.PathLike):
            raise
        raise UserError(f"image {place} of {number}: {error}") from error


def _as_list(value) -> tuple[list, bool]:
    if isinstance(value, list | tuple):
        return list(value), True
    if images.is_batch(value):
        return list(value), True
    return [value], False


def _warn(text: str) -> tuple[str, ...]:
    return (REPETITIVE,) if is_repetitive(text) else ()


def _is_text(text: str) -> bool:
    """Tell whether it can be written: an argument that was not UTF-8 holds lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _batches(items: list, size: int) -> Iterator[list]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _candidate_seed(seed: int, candidate: int) -> int:
    """Return a candidate's seed; the first candidate is what the plain call with this seed draws."""
    return seed if candidate == 0 else int(np.random.SeedSequence((seed, candidate)).generate_state(1)[0])


def _best(scores: list[float] | None, num: int, best_of: int) -> list[int]:
    """Return the index of the best candidate of each of `num` groups."""
    if scores is None:
        return list(range(num))
    best = np.reshape(scores, (num, best_of)).argmax(1)  # (num,)
    return (best + best_of * np.arange(num)).tolist()
