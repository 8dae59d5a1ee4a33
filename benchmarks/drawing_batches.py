"""Measure what an image costs in batches of several sizes, against LLM-CXR's call, one image after another.

    python -m benchmarks.drawing_batches [--batches 1,8,32] [--threads 2] [--repeats 3] [--json FILE]

The model is a GPT-NeoX of 8 layers of 512 with LLM-CXR's vocabulary (50,281 text tokens, 1024 codes), its
weights random. LLM-CXR's call is `generate` of one prompt, sampled with top_p 0.92 from all tokens.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM
from transformers.utils import logging

from benchmarks.timing import compare, interleave, to_result
from llmcxr.decoding import engine
from llmcxr.decoding.settings import Sampling
from llmcxr.model.unified import UnifiedModel
from llmcxr.pages.result import deliver
from llmcxr.prompts.parts import TokenIds
from llmcxr.prompts.vocabulary import ImageVocabulary

VOCABULARY = ImageVocabulary((16, 16), 1024, 50281, 50278, 50279, has_cell_tokens=False)
PROMPT_TOKENS = 40
SAMPLING = Sampling(temperature=1.0, top_p=0.92)


def build_plain() -> GPTNeoXForCausalLM:
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=VOCABULARY.size,
            hidden_size=512,
            num_hidden_layers=8,
            num_attention_heads=8,
            intermediate_size=2048,
        )
    ).eval()


def draw_as_llm_cxr(plain: GPTNeoXForCausalLM, prompt: torch.Tensor) -> torch.Tensor:
    """Draw 256 tokens after a prompt (1, L)."""
    with torch.inference_mode():
        return plain.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            min_new_tokens=VOCABULARY.num_cells,
            max_new_tokens=VOCABULARY.num_cells,
            do_sample=True,
            top_p=SAMPLING.top_p,
            top_k=0,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", default="1,8,32", help="images drawn together")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    logging.set_verbosity_error()
    plain = build_plain()
    model = UnifiedModel.from_causal_lm(build_plain(), VOCABULARY).eval()
    sizes = [int(size) for size in arguments.batches.split(",")]
    prompts = torch.randint(0, 50000, (max(sizes), PROMPT_TOKENS))
    parts = [[TokenIds(tuple(ids))] for ids in prompts.tolist()]
    works = {"plain": lambda: draw_as_llm_cxr(plain, prompts[:1])} | {
        size: lambda size=size: engine.generate_images(model, parts[:size], range(size), SAMPLING)
        for size in sizes
    }
    times = interleave(works, arguments.repeats)
    rows = [compare(f"{size} together", times[size], times["plain"], size, 1) for size in sizes]
    deliver("Drawing in batches", to_result(rows), arguments.json)


if __name__ == "__main__":
    main()
