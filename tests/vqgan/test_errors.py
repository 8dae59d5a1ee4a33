from llmcxr.common import errors
from vqgan.errors import UserError


def test_both_packages_raise_the_same_exception_which_is_a_value_error():
    assert errors.UserError is UserError
    assert issubclass(UserError, ValueError)
