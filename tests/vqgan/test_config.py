"""Which settings can stand together, and how they are written and compared."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.vqgan.test_model import NARROW
from vqgan import VQGANConfig
from vqgan.config import differing_settings
from vqgan.quantizers.fsq import FSQConfig
from vqgan.quantizers.vq import VQConfig


def test_the_default_has_128_codes_of_1000() -> None:
    config = VQGANConfig()
    assert (config.grid, config.codebook_size) == ((16, 8), 1000)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell_height": 12}, "cell_height 12 does not divide image_size 128"),
        ({"image_size": 96, "cell_width": 12}, "cell_width 12 must be patch 4 times a power of two"),
        ({"cell_width": 2}, "cell_width 2 must be patch 4"),
        ({"image_size": 0}, "image_size must be at least 1 and at most 16384, got 0"),
        ({"quantizer": "lfq"}, "expected quantizer to be one of fsq, vq, simvq, taming, found 'lfq'"),
        ({"quantizer": "vq", "fsq": FSQConfig((3, 3))}, "fsq is set, but .* quantizer vq does not use it"),
        ({"architecture": "taming", "cxr": NARROW}, "cxr is set, but architecture taming"),
    ],
)
def test_impossible_configs_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VQGANConfig(**settings)


def test_settings_are_written_in_the_groups_in_use_and_read_back() -> None:
    config = VQGANConfig(cxr=NARROW, quantizer="vq", vq=VQConfig(codebook_size=12))
    written = json.loads(json.dumps(config.to_dict()))
    assert {name for name, value in written.items() if isinstance(value, dict)} == {"cxr", "vq"}
    assert VQGANConfig.from_dict(written) == config


def test_what_differs_is_named_by_its_group() -> None:
    first = VQGANConfig(cxr=NARROW)
    second = replace(first, image_size=64, fsq=FSQConfig((3, 3)))
    assert differing_settings(first, second) == [
        ("image_size", 128, 64),
        ("fsq.levels", (8, 5, 5, 5), (3, 3)),
    ]
    assert not differing_settings(first, first)
