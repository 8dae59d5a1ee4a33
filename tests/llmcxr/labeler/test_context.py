import pytest

from llmcxr.labeler.context import Context, find_new_clauses, keep_outside
from llmcxr.labeler.rules import PHANTOM
from tests.llmcxr.labeler.test_cues import Term, terms_of


def test_a_cue_inside_a_term_denies_nothing_else():
    sentence = "the heart is not enlarged"
    cues = PHANTOM.find_cues(sentence)
    assert [cue.text for cue in cues] == ["not"]
    assert keep_outside(cues, [Term(sentence[4:], 4, len(sentence))], []) == []
    assert keep_outside(cues, [Term("heart", 4, 9)], []) == cues


@pytest.mark.parametrize(
    ("sentence", "breaks"),
    [
        ("no effusion, edema is present", [","]),
        ("no effusion and the edema is stable", ["and"]),
        ("no effusion, edema unchanged", [","]),
        ("no effusion, edema, or nodule is seen", []),
        ("no effusion and edema is seen", []),
        ("no acute, displaced nodule is seen", []),
        ("effusion and edema are not seen", []),
        ("effusion, edema is stable", []),  # nothing reaches, so nothing is to be ended
    ],
)
def test_a_verb_of_its_own_ends_the_reach(sentence, breaks):
    assert [cue.text for cue in find_new_clauses(sentence, PHANTOM.find_cues(sentence))] == breaks


def test_rows_and_places_of_a_sentence():
    sentence = "no effusion, but possible nodule or edema"
    context = Context(sentence, terms_of(sentence), PHANTOM.find_cues(sentence))
    assert [cue.text for cue in context.row("breaks").cues] == ["but"]
    assert context.end_of_clause(0) == sentence.index("but")
    assert context.next_term(5).text == "nodule"
    assert context.ors.between(0, len(sentence)) and not context.ors.between(0, 20)
    assert context.commas.before(20, default=0) == 11 and context.commas.after(20, default=99) == 99
