"""Encoding holds a few batches, whatever the number of images: 100,000 of them in less than 1 GB.

The images are even greys of 64 x 64 pixels, 16 kB each: what is held does not depend on what they show, and
drawing 100,000 phantoms takes longer than a test may; `benchmarks/encoding_memory.py` does it. Each runs in a
process of its own, so that nothing else counts.
"""

import json
import subprocess
import sys

import pytest

ENCODE = """
import json, sys
import numpy as np, torch
from llmcxr.data import Dataset
from llmcxr.records import Radiograph, Study
from llmcxr.codes.encode import encode_dataset
from vqgan import VQGAN, VQGANConfig
from vqgan.layers import CXRConfig
from tests.memory import peak_bytes

class Computed(Dataset):
    def __init__(self, n):
        self.n = n
    def __len__(self):
        return self.n
    def __getitem__(self, index):
        return Study(f"s{index}", f"p{index}", (Radiograph(f"i{index}", f"s{index}", f"p{index}", ""),))
    def read(self, index, size=None):
        return np.full((size, size), (index % 97) / 97, np.float32)

torch.set_num_threads(1)
torch.manual_seed(0)
config = VQGANConfig(image_size=64, cxr=CXRConfig(stem_channels=8, grid_channels=8, grid_blocks=1))
store = encode_dataset(Computed(int(sys.argv[1])), VQGAN(config).eval(), sys.argv[2], sys.argv[2])
peak = peak_bytes() / 2**20
print(json.dumps({"images": len(store), "peak_mb": peak}))
"""


def encode(n, place, repository):
    """Of `n` images: how many were encoded, and the most memory that the process held, MB."""
    command = [sys.executable, "-c", ENCODE, str(n), str(place / f"codes-{n}")]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_thirty_times_the_images_take_no_more_memory(tmp_path, repository):
    few, many = (encode(n, tmp_path, repository) for n in (200, 6000))
    assert (few["images"], many["images"]) == (200, 6000)
    assert many["peak_mb"] < few["peak_mb"] + 32  # 5800 images would be 93 MB


@pytest.mark.slow
def test_a_hundred_thousand_images_hold_less_than_a_gigabyte(tmp_path, repository):
    done = encode(100_000, tmp_path, repository)
    print(f"peak {done['peak_mb']:.0f} MB")
    assert done["images"] == 100_000 and done["peak_mb"] < 1000
