import pytest

from llmcxr.labeler.shorthand import end_lines, mark_doubts, write_out


@pytest.mark.parametrize(
    ("sentence", "written"),
    [
        ("r/o effusion", "rule out effusion"),
        ("s/p tube, h/o chf", "status post tube, history of chf"),
        ("heart w/o change", "heart without change"),
        ("a vs b", "a versus b"),
        ("it isn't seen", "it is not seen"),
        ("none \u2013 small effusion", "none - small effusion"),
        ("right-sided and mid/lower", "right-sided and mid/lower"),
    ],
)
def test_phrases_are_written_out(sentence, written):
    assert write_out(sentence) == written


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Opacity, ?pneumonia.", "Opacity, question pneumonia."),
        ("Effusion (?), no edema.", "Effusion (questionable), no edema."),
        ("Is there edema? No.", "Is there edema? No."),
        ("Edema vs. infection.", "Edema vs infection."),
        ("No consol. or edema.", "No consol or edema."),
        ("Left eff. No edema.", "Left eff. No edema."),
    ],
)
def test_marks_and_stops(text, marked):
    assert mark_doubts(text) == marked


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("There is no\nedema.", "There is no edema."),
        ("No edema\nSmall effusion", "No edema.\nSmall effusion"),
        ("Small left pleural\neffusion.", "Small left pleural effusion."),
        ("NO EDEMA OR\nEFFUSION.", "NO EDEMA OR EFFUSION."),
        ("FINDINGS\nNo edema.\n\nStable.", "FINDINGS\nNo edema.\n\nStable."),
        ("No edema\n\nheart normal", "No edema.\n\nheart normal"),
    ],
)
def test_wrapped_lines_are_joined_and_others_end(text, ended):
    assert end_lines(text) == ended
