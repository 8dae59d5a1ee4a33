import subprocess
import sys

import pytest

from llmcxr.common.errors import UserError
from llmcxr.decoding.settings import LARGEST_SEED, DrawSettings, Sampling


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, "number of images, n, must be at least 1 and at most 1e\\+06, got 0"),
        ({"best_of": 0}, "best-of must be at least 1"),
        ({"guidance": -1.0}, "guidance must be at least 0"),
        ({"side_guidance": float("nan")}, "side_guidance must be at least 0"),
        ({"temperature": float("inf")}, "temperature must be 0"),
        ({"top_k": -1}, "top-k must be 0"),
        ({"top_p": 0.0}, "top-p must be at least 1e-06"),
        ({"n": 10**12}, "number of images"),
        ({"best_of": 10**9}, "best-of must be"),
        ({"guidance": 1e38}, "guidance must be at least 0 and at most 1000, got"),
        ({"temperature": 1e-300}, "temperature must be 0"),
        ({"temperature": 1e300}, "temperature must be 0"),
        ({"top_p": 1e-30}, "top-p must be at least 1e-06"),
        ({"top_k": 10**30}, "top-k must be 0"),
        ({"seed": -1}, "seed must be between 0"),
        ({"seed": LARGEST_SEED, "n": 2}, "seed must be between 0"),
    ],
)
def test_values_outside_their_range_are_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        DrawSettings(**wrong)


def test_a_recipe_is_of_one_drawing():
    settings = DrawSettings(n=3, seed=5, guidance=1.5)
    assert settings.sampling == Sampling(0.8, 0, 1.0)
    assert settings.recipe(6) == {
        "seed": 6,
        "best_of": 1,
        "guidance": 1.5,
        "side_guidance": 1.0,
        "temperature": 0.8,
        "top_k": 0,
        "top_p": 1.0,
    }


def test_the_settings_are_known_without_torch():
    code = "import sys, llmcxr.decoding.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
