from types import SimpleNamespace

import pytest

from llmcxr.common import errors
from vqgan.errors import UserError, check_counts


def test_both_packages_raise_the_same_exception_which_is_a_value_error():
    assert errors.UserError is UserError
    assert issubclass(UserError, ValueError)


def test_the_first_count_below_one_is_named_with_its_group():
    settings = SimpleNamespace(steps=1, layers=0, heads=-2)
    check_counts(settings, ("steps",))
    with pytest.raises(UserError, match=r"^model\.layers must be at least 1, got 0$"):
        check_counts(settings, ("steps", "layers", "heads"), "model.")
