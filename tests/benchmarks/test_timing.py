import torch

from benchmarks.timing import Row, compare, count_flops, interleave, measure_peak, to_result
from llmcxr.pages.document import to_markdown


def table(rows):
    return to_markdown(to_result(rows).blocks)


def test_works_take_turns_after_one_run_each():
    ran = []
    times = interleave({"a": lambda: ran.append("a"), "b": lambda: ran.append("b")}, repeats=2)
    assert "".join(ran) == "ababab"
    assert {name: len(values) for name, values in times.items()} == {"a": 2, "b": 2}


def test_a_row_by_hand():
    # ours 10 images in 1 s, 1 s, 2 s; plain 2 images in 1 s, 2 s, 1 s: 5, 10 and 2.5 times as fast
    row = compare("encode", [1, 1, 2], [1, 2, 1], num_ours=10, num_plain=2, flops=50, peak=100)
    assert row == Row("encode", ours=10, plain=2, ratio=5, spread=7.5, roofline_share=0.5)
    assert "5.00" in table([row]) and "50%" in table([row])


def test_flops_of_a_product():
    matrix = torch.rand(10, 10)
    assert count_flops(lambda: matrix @ matrix) == 2 * 10**3
    assert measure_peak(repeats=1) > 1e6


def test_without_a_peak_there_is_no_share():
    assert compare("read", [1.0], [2.0], 1, 1).roofline_share is None
    assert "%" not in table([compare("read", [1.0], [2.0], 1, 1)])
