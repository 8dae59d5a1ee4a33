"""Measure how fast image tokenizers encode, against the encoder of taming-transformers as LLM-CXR runs it.

    python -m benchmarks.encode [--images 4] [--repeats 5] [--threads 2] [--small] [--json FILE]

Needs `pip install --no-deps taming-transformers-rom1504`. Run it on a machine that does nothing else.

The plain way is the real `taming-transformers-rom1504`: its Encoder, 1 x 1 convolution and VectorQuantizer2,
on three equal channels, in the layout that torch gives by default. Ours is `VQGAN.encode`: with the same
weights (`taming_f16`), and with our architecture (`cxr_f16`), both at 256 px and 16 x 16 codes. Weights are
random: no time depends on them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.timing import Row, compare, count_flops, interleave, measure_peak, to_result
from llmcxr.common.errors import UserError
from llmcxr.pages.document import Paragraph
from llmcxr.pages.result import Result, deliver
from vqgan import VQGAN, VQGANConfig
from vqgan.foreign.taming.names import to_taming_weights
from vqgan.foreign.taming.networks import TamingConfig
from vqgan.layers import CXRConfig
from vqgan.quantizers.fsq import FSQConfig

IMAGE_SIZE = 256
CXR_F16 = {
    "cxr": CXRConfig(stem_channels=48, grid_channels=192, grid_blocks=3),
    "fsq": FSQConfig((8, 8, 8, 8)),
}
CXR_TIMES = 16  # as many images for ours as for taming's, so that its time can be measured as well


def bench_encode(num_images: int = 4, repeats: int = 5, threads: int = 2, small: bool = False) -> Result:
    """Measure `rows`, and `same_codes`, the share of codes that are equal with the same weights.

    `small` shrinks taming's network and the images, to try the benchmark, not to measure. Raises UserError
    where taming-transformers is not installed.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    size, network = (64, TamingConfig(channels=32)) if small else (IMAGE_SIZE, TamingConfig())
    cells = {"image_size": size, "cell_height": 16, "cell_width": 16}
    taming = VQGAN(VQGANConfig(**cells, architecture="taming", quantizer="taming", taming=network)).eval()
    cxr = VQGAN(VQGANConfig(**cells, **CXR_F16)).eval()
    plain = build_plain(taming)
    images = torch.rand(num_images, 1, size, size)
    many = images.repeat(CXR_TIMES, 1, 1, 1)
    works = {
        "plain": lambda: plain(images),
        "taming_f16": lambda: taming.encode(images),
        "cxr_f16": lambda: cxr.encode(many),
    }
    same = float((plain(images) == taming.encode(images)).float().mean())
    times, peak = interleave(works, repeats), measure_peak()
    rows: list[Row] = []
    for name, count in (("taming_f16", num_images), ("cxr_f16", len(many))):
        flops = count_flops(works[name])
        title = f"encode {name}, taming-transformers"
        rows.append(compare(title, times[name], times["plain"], count, num_images, flops, peak))
    result = to_result(
        rows,
        same_codes=same,
        image_size=size,
        images=num_images,
        repeats=repeats,
        threads=threads,
        peak_gflops=peak / 1e9,
        gflops_an_image={
            name: count_flops(lambda model=model: model.encode(images[:1])) / 1e9
            for name, model in (("taming_f16", taming), ("cxr_f16", cxr))
        },
    )
    sentence = Paragraph(f"{same:.2%} of the codes are the same with the same weights.")
    return Result(result.json, [*result.blocks, sentence])


def build_plain(tokenizer: VQGAN) -> Callable[[Tensor], Tensor]:
    """Build the modules of taming-transformers with the tokenizer's weights: images (B, 1, H, W) in [0, 1] ->
    codes (B, h, w).
    """
    encoder_module, quantizer_module = _import_taming()
    network, codebook = tokenizer.config.taming, tokenizer.config.taming_codebook
    encoder = encoder_module.Encoder(
        ch=network.channels,
        out_ch=network.image_channels,
        ch_mult=network.multipliers,
        num_res_blocks=network.blocks,
        attn_resolutions=list(network.attention_sides),
        in_channels=network.image_channels,
        resolution=tokenizer.config.image_size,
        z_channels=network.latent_channels,
        double_z=False,
    ).eval()
    to_codebook = torch.nn.Conv2d(network.latent_channels, codebook.codebook_dim, 1)
    quantizer = quantizer_module.VectorQuantizer2(codebook.codebook_size, codebook.codebook_dim, beta=0.25)
    weights = {name: weight.contiguous() for name, weight in tokenizer.state_dict().items()}
    weights = to_taming_weights(weights)
    for module, prefix in ((encoder, "encoder."), (to_codebook, "quant_conv."), (quantizer, "quantize.")):
        own = {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}
        module.load_state_dict(own)

    @torch.no_grad()
    def encode(images: Tensor) -> Tensor:
        latents = to_codebook(encoder((2 * images - 1).repeat(1, 3, 1, 1)))
        codes = quantizer(latents)[2][2]
        return codes.reshape(len(images), *tokenizer.config.grid)

    return encode


def _import_taming() -> tuple[Any, Any]:
    """Import it by name: its requirements hold other packages back, so no extra of ours may bring it."""
    try:
        return (
            import_module("taming.modules.diffusionmodules.model"),
            import_module("taming.modules.vqvae.quantize"),
        )
    except ImportError as error:
        raise UserError(
            "the plain way needs taming-transformers without what it requires: "
            f"pip install --no-deps taming-transformers-rom1504 ({error})"
        ) from error


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=4, help="in a batch of taming's encoder")
    parser.add_argument("--repeats", type=int, default=5, help="how often each way is timed, in turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="a small network: try it, measure nothing")
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    arguments = parser.parse_args(given)
    result = bench_encode(arguments.images, arguments.repeats, arguments.threads, arguments.small)
    deliver("Encoding, ours and taming-transformers", result, arguments.json)


if __name__ == "__main__":
    main()
