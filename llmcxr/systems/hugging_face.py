"""Ask an image-text model of transformers, through its own processor and chat template.

Knows no architecture: whatever `AutoModelForImageTextToText` loads. No code from the directory is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from llmcxr.common.errors import UserError
from llmcxr.common.pretrained import load_pretrained, refuse_code
from llmcxr.images import to_picture
from llmcxr.predictor import AnswerResult, ReportResult, System
from llmcxr.prompts.plain_text import ZERO_WIDTH_SPACE, separate
from llmcxr.reports import parse_sections, strip_reasoning
from llmcxr.systems.prompts import ANSWER_PROMPT, REPORT_PROMPT
from vqgan.finite import check_finite, check_weights


class HuggingFaceSystem(System):
    """Let a model of transformers report and answer.

    temperature 0 writes the likeliest text, whatever the seed. Above it, images are worked on one by one,
    so that a seed gives one result whatever else is in the list.
    """

    kind = "an hf: system"
    abilities = frozenset({"report", "answer"})

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        report_prompt: str = REPORT_PROMPT,
        answer_prompt: str = ANSWER_PROMPT,
        max_new_tokens: int = 256,
        temperature: float = 0.0,
        batch_rows: int = 4,
    ) -> None:
        """`answer_prompt` must hold "{question}"."""
        self.model, self.processor = model.eval(), processor
        self.processor.tokenizer.padding_side = "left"  # all prompts of a batch end where writing begins
        self.report_prompt, self.answer_prompt = report_prompt, answer_prompt
        self.max_new_tokens, self.temperature = max_new_tokens, temperature
        self.batch_rows = self.batch = batch_rows

    @classmethod
    def from_pretrained(
        cls, directory: str | Path, device: str = "cpu", **settings: Any
    ) -> HuggingFaceSystem:
        """Load a local directory; nothing is downloaded. `settings` are those of the constructor.

        Raises UserError for a directory without a model and processor of this sort, or without a chat
        template.
        """
        from transformers import AutoModelForImageTextToText, AutoProcessor

        if not (Path(directory) / "config.json").is_file():
            raise UserError(
                f"hf:{directory}: expected a directory with config.json, found none; download the model first"
            )
        refuse_code(directory)
        try:
            # torchvision is no part of this package, and its resizing differs from Pillow's
            processor = load_pretrained(AutoProcessor, directory, local_files_only=True, backend="pil")
            model = load_pretrained(
                AutoModelForImageTextToText, directory, local_files_only=True, dtype="auto"
            )
        except Exception as error:  # transformers answers files that it cannot use by any
            reason = str(error).strip().split("\n")[0][:300] or type(error).__name__
            raise UserError(
                f"hf:{directory}: expected an image-text model that transformers loads by itself, "
                f"found: {reason}"
            ) from error
        if not getattr(processor, "chat_template", None) or not hasattr(processor, "tokenizer"):
            raise UserError(
                f"hf:{directory}: expected a processor with a chat template, found none; "
                "add the chat_template.jinja that the model was tuned with"
            )
        check_weights(model, f"hf:{directory}")
        return cls(model.to(device), processor, **settings)

    def report(self, images: Sequence[np.ndarray], seed: int = 0) -> list[ReportResult]:
        """Write a report of each image."""
        return [
            ReportResult(text, seed=seed, report=parse_sections(strip_reasoning(text)))
            for text in self._write(images, [self.report_prompt] * len(images), seed)
        ]

    def answer(
        self, images: Sequence[np.ndarray], questions: Sequence[str], seed: int = 0
    ) -> list[AnswerResult]:
        """Answer `questions`: questions[i] is about images[i]."""
        prompts = [self.answer_prompt.replace("{question}", question) for question in questions]
        return [
            AnswerResult(text, seed=seed, question=question)
            for text, question in zip(self._write(images, prompts, seed), questions, strict=True)
        ]

    def _write(self, images: Sequence[np.ndarray], prompts: Sequence[str], seed: int) -> list[str]:
        pairs = list(zip(images, prompts, strict=True))
        rows = 1 if self.temperature > 0 else self.batch_rows
        written = []
        for start in range(0, len(pairs), rows):
            written += self._write_batch(pairs[start : start + rows], seed)
        return written

    def _write_batch(self, pairs: Sequence[tuple[np.ndarray, str]], seed: int) -> list[str]:
        batch = self.processor.apply_chat_template(
            [_conversation(image, self._to_plain(prompt)) for image, prompt in pairs],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        ).to(self.model.device, self.model.dtype)
        sampling: dict[str, Any] = {"do_sample": False}
        if self.temperature > 0:  # top_k and top_p: not the checkpoint's own, which would cut the choice
            sampling = {"do_sample": True, "temperature": self.temperature, "top_k": 0, "top_p": 1.0}
        devices = [self.model.device] if self.model.device.type == "cuda" else []
        with torch.inference_mode(), torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            output = self.model.generate(
                **batch,
                **sampling,
                max_new_tokens=self.max_new_tokens,
                logits_processor=[self._check_scores],
            )
        if not self.model.config.is_encoder_decoder:  # the others give the prompt again
            output = output[:, batch["input_ids"].shape[1] :]
        return [text.strip() for text in self.processor.batch_decode(output, skip_special_tokens=True)]

    def _to_plain(self, prompt: str) -> str:
        """Keep what a prompt says from being taken for a marker of the chat, such as an end or an image."""
        if not any(marker in prompt for marker in self._markers):
            return prompt
        tokenizer = self.processor.tokenizer
        is_known = ZERO_WIDTH_SPACE in tokenizer.decode(tokenizer(ZERO_WIDTH_SPACE).input_ids)
        return separate(prompt, self._markers, ZERO_WIDTH_SPACE if is_known else " ")

    @cached_property
    def _markers(self) -> frozenset[str]:
        """List the tokenizer's added tokens and the lines that the chat template writes of its own."""
        tokenizer, content = self.processor.tokenizer, "\uffff"
        chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": content}]}]
        written = self.processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        tokens = {*tokenizer.get_added_vocab(), *tokenizer.all_special_tokens}
        for token in (content, *tokens):
            written = written.replace(token, "\n")
        words = [word.strip() for word in (*tokens, *written.split("\n"))]
        return frozenset(word for word in words if len(word) > 1)

    def _check_scores(self, _: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores (B, V) as they are. Raises UserError where the best of a row is not finite."""
        check_finite(scores.amax(-1), "the scores of a text's tokens", [self.model])
        return scores


def _conversation(image: np.ndarray, prompt: str) -> list[dict[str, Any]]:
    content = [{"type": "image", "image": to_picture(image).convert("RGB")}, {"type": "text", "text": prompt}]
    return [{"role": "user", "content": content}]
