"""Read in order, ahead by so many and no more, and put things back."""

import threading
import warnings

import pytest

from llmcxr.data.read_ahead import read_ahead


def test_results_come_in_order_whoever_is_first():
    first_may_end = threading.Event()

    def read(item):
        if item == 0:
            assert first_may_end.wait(10)
        else:
            first_may_end.set()
        return item * item

    assert list(read_ahead(read, range(20), workers=2, ahead=4)) == [item * item for item in range(20)]


def test_no_more_are_read_than_may_wait():
    begun = []
    results = read_ahead(lambda item: begun.append(item) or item, range(100), workers=1, ahead=3)
    assert [next(results), next(results)] == [0, 1]
    assert len(begun) <= 4
    results.close()
    assert len(begun) <= 4


def test_an_error_comes_at_its_place():
    def read(item):
        if item == 2:
            raise KeyError(item)
        return item

    results = read_ahead(read, range(5), workers=2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(KeyError):
        next(results)


def test_filters_of_warnings_are_put_back():
    before = list(warnings.filters)
    list(read_ahead(lambda item: warnings.simplefilter("ignore"), range(3), workers=2))
    assert warnings.filters == before
