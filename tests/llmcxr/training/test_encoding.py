"""Images of files -> codes by image id: bad files left out, the first coding of the image as it is."""

import json

import numpy as np
import pytest
import torch

from llmcxr import images
from llmcxr.training.encoding import EncodingConfig, encode_dataset
from vqgan import VQGAN, VQGANConfig


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["image,text"]
    for i in range(4):
        images.write_png(tmp_path / f"film{i}.png", rng.random((40, 50)))
        lines.append(f"film{i}.png,Clear lungs.")
    (tmp_path / "film2.png").write_bytes(b"not a picture")
    (tmp_path / "films.csv").write_text("\n".join(lines))
    return f"folder:{tmp_path / 'films.csv'}"


def test_a_folder_of_films_becomes_codes(folder, tmp_path):
    torch.manual_seed(0)
    config = VQGANConfig(
        image_size=32, cell_height=8, cell_width=16, levels=(4, 3), stem_channels=8, grid_channels=8
    )
    tokenizer = VQGAN(config).eval()
    store = encode_dataset(folder, tokenizer, tmp_path / "codes", tmp_path, EncodingConfig(codings=3))
    assert len(store) == 3 and store.metadata.augmentations == 3
    rejected = [json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text().splitlines()]
    assert len(rejected) == 1 and "film2.png" in rejected[0]["reason"]
    pixels = images.fit(images.read(tmp_path / "film0.png"), 32)[0]
    codes = tokenizer.encode(torch.from_numpy(pixels)[None, None])[0].numpy()
    assert (store[store.image_ids[0]][0] == codes).all()
    again = encode_dataset(folder, tokenizer, tmp_path / "codes2", tmp_path, EncodingConfig(codings=3))
    assert (again.read(range(3)) == store.read(range(3))).all()


def test_one_coding_is_of_the_image_as_it_is(folder, tmp_path):
    config = VQGANConfig(
        image_size=32, cell_height=8, cell_width=16, levels=(4, 3), stem_channels=8, grid_channels=8
    )
    store = encode_dataset(folder, VQGAN(config).eval(), tmp_path / "codes", tmp_path)
    assert len(store) == 3 and store.metadata.augmentations == 1
