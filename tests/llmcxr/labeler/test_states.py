import numpy as np

from llmcxr.labeler.states import CODES, to_codes
from llmcxr.records import Label


def test_codes_are_chexperts_own():
    assert [CODES[label] for label in (Label.PRESENT, Label.ABSENT, Label.UNCERTAIN)] == [1, 0, -1]
    assert len(set(CODES.values())) == len(Label)


def test_one_row_for_each_study():
    labels = [
        {"edema": Label.PRESENT, "mass": Label.UNCERTAIN},
        {"mass": Label.ABSENT, "hernia": Label.PRESENT},
    ]
    codes = to_codes(labels, ("edema", "mass"))
    assert codes.dtype == np.int8
    assert codes.tolist() == [[1, -1], [-2, 0]]


def test_of_no_studies_and_of_no_findings():
    assert to_codes([], ("edema", "mass")).shape == (0, 2)
    assert to_codes([{}, {}], ()).shape == (2, 0)
