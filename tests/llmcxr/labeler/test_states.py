import numpy as np

from llmcxr.labeler.states import LABEL_STATES, to_states
from llmcxr.records import Label


def test_states_are_chexperts_own_numbers():
    assert [LABEL_STATES[label] for label in (Label.PRESENT, Label.ABSENT, Label.UNCERTAIN)] == [1, 0, -1]
    assert len(set(LABEL_STATES.values())) == len(Label)


def test_one_row_for_each_study():
    labels = [
        {"edema": Label.PRESENT, "mass": Label.UNCERTAIN},
        {"mass": Label.ABSENT, "hernia": Label.PRESENT},
    ]
    states = to_states(labels, ("edema", "mass"))
    assert states.dtype == np.int8
    assert states.tolist() == [[1, -1], [-2, 0]]


def test_of_no_studies_and_of_no_findings():
    assert to_states([], ("edema", "mass")).shape == (0, 2)
    assert to_states([{}, {}], ()).shape == (2, 0)
