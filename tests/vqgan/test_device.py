import pytest
import torch

from vqgan.device import choose_device
from vqgan.errors import UserError


def test_auto_is_the_gpu_where_there_is_one():
    assert choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["cpu", "cpu:0", torch.device("cpu")])
def test_a_device_that_is_there_is_taken(name):
    assert choose_device(name) == str(name)


@pytest.mark.parametrize("name", ["tpu", "", "cuda:99", "meta", "gpu", None])
def test_a_device_that_is_none_is_named(name):
    with pytest.raises(UserError, match=f"device must be auto.*; got '{name}'"):
        choose_device(name)
