from llmcxr.evaluation.card.page import card_blocks, left_out_sentences
from llmcxr.pages.document import Curves, to_markdown

CARD = {
    "n": 4,
    "seeds": (0, 1),
    "size": 128,
    "extractor": "classifier",
    "llmcxr_version": "1.0",
    "training_check": "checked: no image in common",
}
DROP = {"tampering": "blank", "name": "BLEU-4", "first": 0.5, "second": 0.25, "difference": 0.25}


def written(parts: dict) -> str:
    return to_markdown(card_blocks({**CARD, "parts": parts}))


def test_the_settings_come_first():
    expected = "With studies 4, seeds 0, 1, px 128, features by classifier, llmcxr 1.0. "
    assert written({}).strip() == expected + "Checked: no image in common."


def test_a_part_that_was_left_out_says_why():
    text = written({"evidence": {"left_out": "a prior has no probabilities"}})
    assert "## Evidence of its sentences" in text and "Left out: a prior has no probabilities" in text


def test_an_audit_has_its_verdict_and_its_drops():
    drops = [{**DROP, "interval": (0.125, 0.375), "p": 0.01}]
    text = written({"audit": {"reports": {"looks_at_image": True, "drops": drops}}})
    assert "Reports: looks at the image." in text
    assert "| blank | BLEU-4 | 0.500 | 0.250 | 0.250 (0.125-0.375) | 0.010 |" in text
    text = written({"audit": {"answers": {"looks_at_image": False, "drops": []}}})
    assert "Answers: **does not show that it looks at the image**." in text


def test_evidence_has_both_rankings_and_their_curves():
    ranking = {"area": 0.25, "area_interval": None, "error": 0.5, "coverage": [0.5, 1], "risk": [0, 0.5]}
    sentence = {"sentence": "Nodule.", "evidence": 1.5, "wrong": True}
    part = {"sentences": 2, "evidence": ranking, "probability": ranking, "best": [sentence], "worst": []}
    blocks = card_blocks({**CARD, "parts": {"evidence": part}})
    (curves,) = [block for block in blocks if isinstance(block, Curves)]
    assert curves.lines == {f"by {name}": ([0.5, 1], [0, 0.5]) for name in ("evidence", "probability")}
    assert "| Nodule. | 1.500 | wrong |" in to_markdown(blocks)


def test_undefined_scores_are_named_with_their_reason():
    scores = [
        {"name": "presence accuracy", "value": 0.75, "interval": (0.5, 1.0), "n": 4, "note": ""},
        {"name": "side accuracy", "value": None, "interval": None, "n": 0, "note": "none is asked"},
    ]
    text = written({"questions": {"scores": scores, "balance": [], "elixr": []}})
    assert "| presence accuracy | 0.750 (0.500-1.000) | 4 |" in text
    assert "No value: side accuracy (none is asked)." in text


def test_what_was_left_out_is_said_once_with_the_first_study_of_each_reason():
    counts = {"judged": 1, "left_out": {"no image that can be read": [2, 3, 4]}}
    unread = [(2, "a.png: damaged"), (3, "no radiograph"), (4, "no radiograph")]
    card = {
        "parts": {
            "report": {"studies": counts},
            "audit": {"reports": {"studies": counts}},
            "image": {"left_out": "draws not"},
        },
        "unread_images": [{"study": study, "reason": reason} for study, reason in unread],
    }
    assert left_out_sentences(card) == [
        "3 of 4 studies are left out, with no image that can be read (study 2, 3, 4)",
        "study 2: a.png: damaged",
        "study 3: no radiograph",
    ]
