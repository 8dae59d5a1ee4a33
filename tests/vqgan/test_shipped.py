"""Names of shipped tokenizers, and what a name that is none gets."""

import pytest
import torch

from vqgan import VQGAN, VQGANConfig, shipped
from vqgan.layers import CXRConfig


@pytest.fixture
def directory(tmp_path, monkeypatch):
    torch.manual_seed(0)
    config = VQGANConfig(image_size=32, cxr=CXRConfig(stem_channels=8, grid_channels=8, grid_blocks=1))
    VQGAN(config).save_pretrained(tmp_path / "place" / "cxr")
    monkeypatch.setattr(shipped, "SHIPPED", {"cxr": tmp_path / "place" / "cxr", "lost": tmp_path / "lost"})
    monkeypatch.chdir(tmp_path)
    return tmp_path / "place" / "cxr"


def test_a_name_and_a_directory_give_the_same_tokenizer(directory):
    assert VQGAN.from_pretrained("cxr").fingerprint == VQGAN.from_pretrained(directory).fingerprint


def test_an_unknown_name_lists_the_known_ones(directory):
    with pytest.raises(ValueError, match=r"cxray: expected .* one of the names cxr, lost"):
        VQGAN.from_pretrained("cxray")


def test_a_name_without_its_files_is_explained(directory):
    with pytest.raises(ValueError, match="this installation came without it"):
        VQGAN.from_pretrained("lost")


def test_a_folder_of_that_name_comes_first(directory, tmp_path):
    (tmp_path / "cxr").mkdir()
    with pytest.raises(ValueError, match=r"expected a file config\.json"):
        VQGAN.from_pretrained("cxr")


def test_a_path_that_is_not_there_is_no_name(directory, tmp_path):
    with pytest.raises(ValueError, match="is no image tokenizer directory"):
        VQGAN.from_pretrained(tmp_path / "runs" / "cxr")


@pytest.mark.parametrize("name", shipped.SHIPPED)
def test_what_ships_opens(name):
    if not shipped.SHIPPED[name].is_dir():
        pytest.skip(f"the weights of {name} are not in this checkout")
    tokenizer = VQGAN.from_pretrained(name)
    assert tokenizer.fingerprint and not tokenizer.training
    assert (shipped.SHIPPED[name] / "README.md").is_file()
