"""A quantizer is a file and a line of the registry; one that is registered later is built and stored too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.vqgan.test_model import NARROW
from vqgan import VQGAN
from vqgan.config import VQGANConfig, config_class
from vqgan.errors import UserError
from vqgan.quantizers import QUANTIZERS
from vqgan.quantizers.quantizer import QuantizerOutput, straight_through


@dataclass(frozen=True)
class SignConfig:
    codebook_size: int = 2


class Sign(nn.Module):
    """Code 0 where the one channel is negative, else 1."""

    statistics = ()
    codebook_dim = 1

    def __init__(self, config: SignConfig) -> None:
        super().__init__()
        self.codebook_size = config.codebook_size

    def forward(self, latents: Tensor) -> QuantizerOutput:
        codes = (latents[:, 0] >= 0).long()
        quantized = straight_through(latents, self.codes_to_quantized(codes))
        return QuantizerOutput(quantized, codes, latents.new_zeros(()))

    def codes_to_quantized(self, codes: Tensor) -> Tensor:
        return 2.0 * codes[:, None] - 1

    def codebook(self) -> Tensor:
        return torch.tensor([[-1.0], [1.0]])


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUANTIZERS, "sign", (Sign, SignConfig))


@pytest.mark.usefixtures("registered")
def test_a_quantizer_registered_at_run_time_is_built_saved_and_loaded(tmp_path: Path) -> None:
    model = VQGAN(config_class()(image_size=32, cxr=NARROW, quantizer="sign", sign=SignConfig(2))).eval()
    model.save_pretrained(tmp_path)
    loaded = VQGAN.from_pretrained(tmp_path)
    assert loaded.config == model.config and loaded.fingerprint == model.fingerprint
    codes = loaded.encode(torch.rand(2, 1, 32, 32))
    assert codes.shape == (2, 4, 2) and loaded.config.codebook_size == 2
    assert loaded.decode(codes).shape == (2, 1, 32, 32)


@pytest.mark.usefixtures("registered")
def test_its_defaults_need_no_group_of_settings() -> None:
    config = VQGANConfig(image_size=32, cxr=NARROW, quantizer="sign")
    assert VQGAN(config).quantizer.codebook_size == config.codebook_size == 2
    assert VQGANConfig.from_dict(config.to_dict()).sign == SignConfig()


def test_without_its_plug_in_it_is_refused_with_those_known() -> None:
    with pytest.raises(UserError, match="one of fsq, vq, simvq, taming, found 'sign'"):
        VQGANConfig(quantizer="sign")
