"""Measure how fast images and reports are decoded, against Hugging Face `generate` on the exported model.

    python -m benchmarks.decoding [--model phantom] [--rows 8] [--threads 2] [--json FILE]

The plain ways load the exported directory with plain transformers. Drawing: `generate` with guidance and each
step's tokens restricted to its cell by a prefix function, and `generate` as LLM-CXR calls it, unguided and
unrestricted: its grids are whole by luck only (LLM-CXR draws again until one is), the share is printed.
Reading: greedy `generate`. The same prompts, as many tokens, the same threads, in this run.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from benchmarks.timing import Row, measure, measure_peak, to_result
from llmcxr import CXR
from llmcxr.data import open_dataset
from llmcxr.decoding import engine
from llmcxr.decoding.settings import GREEDY, Sampling
from llmcxr.pages.result import deliver
from llmcxr.prompts import DRAW, REPORT
from llmcxr.prompts.parts import ImageCodes, to_token_ids

REPEATS = 3
REPORT_TOKENS = 48  # both write so many in every row
GUIDANCE, TEMPERATURE = 2.0, 0.8


def measure_drawing(cxr: CXR, plain: torch.nn.Module, num_rows: int) -> tuple[list[Row], list[float]]:
    """Measure a row and the share of whole grids of each plain way."""
    vocabulary = cxr.model.vocabulary
    texts = [f"Large {('left', 'right')[i % 2]} pleural effusion." for i in range(num_rows)]
    prompts = [cxr.prompt_tokenizer.prompt(DRAW.instructions[0], text) for text in texts]
    unconditional = cxr.prompt_tokenizer.prompt(DRAW.instructions[0], "")
    boi, num_cells = [vocabulary.boi_id], vocabulary.num_cells
    ids, mask = engine.pad_left([to_token_ids(one, vocabulary) + boi for one in prompts], cxr.model.device)
    null_ids, null_mask = engine.pad_left(
        [to_token_ids(unconditional, vocabulary) + boi] * num_rows, cxr.model.device
    )
    first = ids.shape[1]

    def guided() -> torch.Tensor:
        sampling = Sampling(TEMPERATURE)
        return engine.generate_images(
            cxr.model, prompts, range(num_rows), sampling, GUIDANCE, unconditional
        ).codes

    def unguided() -> torch.Tensor:
        return engine.generate_images(cxr.model, prompts, range(num_rows), Sampling(TEMPERATURE)).codes

    def generate(**settings) -> torch.Tensor:
        tokens = plain.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=num_cells,
            min_new_tokens=num_cells,
            do_sample=True,
            temperature=TEMPERATURE,
            top_k=0,
            **settings,
        )
        return tokens[:, first:]

    def restricted() -> torch.Tensor:
        return generate(
            guidance_scale=GUIDANCE,
            negative_prompt_ids=null_ids,
            negative_prompt_attention_mask=null_mask,
            prefix_allowed_tokens_fn=lambda _, row: list(range(*vocabulary.token_range(len(row) - first))),
        )

    def as_llm_cxr() -> torch.Tensor:
        return generate(top_p=0.92)

    flops = _step_flops(cxr, vocabulary.codebook_size) * num_rows * num_cells
    peak = measure_peak()
    rows = [
        measure(
            "draw, guided: engine, generate restricted",
            guided,
            restricted,
            num_rows,
            2 * flops,
            peak,
            REPEATS,
        ),
        measure("draw: engine, generate as LLM-CXR", unguided, as_llm_cxr, num_rows, flops, peak, REPEATS),
    ]
    return rows, [_share_whole(cxr, tokens) for tokens in (restricted(), as_llm_cxr())]


def measure_reading(cxr: CXR, plain: torch.nn.Module, num_rows: int) -> Row:
    dataset = open_dataset(f"phantom:n={num_rows},seed=9")
    size = cxr.image_tokenizer.config.image_size
    codes = cxr.encode([dataset.read(index, size) for index in range(num_rows)])
    prompts = [cxr.prompt_tokenizer.prompt(REPORT.instructions[0], ImageCodes(one)) for one in codes]
    ids, mask = engine.pad_left(
        [to_token_ids(one, cxr.model.vocabulary) for one in prompts], cxr.model.device
    )
    no_end = [-1]

    def ours() -> None:
        engine.generate_text(cxr.model, prompts, [0] * num_rows, GREEDY, no_end, REPORT_TOKENS)

    def generate() -> None:
        plain.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=REPORT_TOKENS,
            min_new_tokens=REPORT_TOKENS,
            do_sample=False,
        )

    flops = _step_flops(cxr, cxr.model.vocabulary.image_token_offset) * num_rows * REPORT_TOKENS
    return measure("read, greedy: engine, generate", ours, generate, num_rows, flops, measure_peak(), REPEATS)


def _step_flops(cxr: CXR, scored_rows: int) -> float:
    """Count a row's decode step: two per weight of the layers and the rows scored, attention left out."""
    layers = sum(parameter.numel() for parameter in cxr.model.decoder.layers.parameters())
    return 2 * (layers + scored_rows * cxr.model.decoder.config.hidden_size)


def _share_whole(cxr: CXR, tokens: torch.Tensor) -> float:
    def is_whole(row: Sequence[int]) -> bool:
        try:
            cxr.model.vocabulary.to_codes(row)
        except ValueError:
            return False
        return True

    return sum(is_whole(row) for row in tokens.numpy()) / len(tokens)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="phantom")
    parser.add_argument("--rows", type=int, default=8, help="decoded together")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    logging.set_verbosity_error()
    cxr = CXR.from_pretrained(arguments.model)
    with tempfile.TemporaryDirectory() as folder:
        cxr.save_pretrained(folder)
        plain = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=False).eval()
    rows, whole = measure_drawing(cxr, plain, arguments.rows)
    rows.append(measure_reading(cxr, plain, arguments.rows))
    deliver("Decoding", to_result(rows, "images or reports a second"), arguments.json)
    print(f"whole grids: generate restricted {whole[0]:.0%}, generate as LLM-CXR {whole[1]:.0%}, engine 100%")


if __name__ == "__main__":
    main()
