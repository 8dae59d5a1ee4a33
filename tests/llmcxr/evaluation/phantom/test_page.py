from llmcxr.evaluation.phantom.page import ratio_line


def test_ratio_line():
    line = ratio_line("read", {"r": 0.98, "mae": 0.01, "n": 5})
    assert line.text == "read: r 0.980, mean error 0.010, n 5"
