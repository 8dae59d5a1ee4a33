import pytest

from llmcxr.common.device import choose_device, images_at_once
from llmcxr.common.errors import UserError


def test_a_device_that_is_none_is_named():
    assert choose_device("cpu") == "cpu" and choose_device("auto") in ("cpu", "cuda")
    with pytest.raises(UserError, match="got 'tpu'"):
        choose_device("tpu")


@pytest.mark.parametrize(("side", "number"), [(128, 8), (256, 2), (512, 1), (1024, 1)])
def test_large_images_go_one_by_one_on_a_cpu(side, number):
    assert images_at_once(side, "cpu") == number < images_at_once(side, "cuda")
