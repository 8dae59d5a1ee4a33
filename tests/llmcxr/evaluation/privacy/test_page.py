from llmcxr.evaluation.privacy.measures import BASELINE_QUANTILE, QUANTILES
from llmcxr.evaluation.privacy.page import left_out_sentences, privacy_blocks
from llmcxr.pages.document import Table

COPIES = {"copies": 1, "n": 2, "interval": (0.1, 0.9)}
RESULT = {"n": 2, "requests": "training", "num_training": 5, "seed": 0, "membership": {}}
RESULT["studies"] = {side: {"judged": 5, "left_out": {}} for side in ("training", "held_out")}
RESULT["unread_images"] = {"training": [], "held_out": []}


def distances(lowest_share):
    quantiles = dict.fromkeys(QUANTILES, 0.5) | {"n": 2}
    below = {"share": 0.5, "interval": (lowest_share, 0.9)}
    return {"nearest": quantiles, "baselines": {"held out": quantiles | {"drawings_below_p5": below}}}


def text_of(result):
    return " ".join(getattr(block, "text", "") for block in privacy_blocks(result))


def test_exact_copies_are_counted_with_their_interval():
    assert "Exact copies, by all codes: 1 of 2 (0.100-0.900)." in text_of(RESULT | {"exact_copies": COPIES})
    assert "Exact copies" not in text_of(RESULT)


def test_studies_without_an_image_are_said_by_their_side():
    assert left_out_sentences(RESULT) == [] and "left out, with" not in text_of(RESULT)
    one = {"judged": 4, "left_out": {"no image": [3]}}
    result = RESULT | {
        "studies": RESULT["studies"] | {"held_out": one},
        "unread_images": {"training": [], "held_out": [{"study": 3, "reason": "c.png: damaged"}]},
    }
    said = "1 of 5 held-out studies is left out, with no image (study 3)"
    assert left_out_sentences(result) == [said, "held-out study 3: c.png: damaged"]
    assert f"{said}." in text_of(result)


def test_drawings_lie_too_near_where_more_are_near_than_by_chance():
    near, far = (RESULT | {"code_space": distances(share)} for share in (BASELINE_QUANTILE + 0.01, 0.0))
    assert "drawings lie too near to training images" in text_of(near)
    assert "no nearer to training images than by chance" in text_of(far)
    (table,) = (block for block in privacy_blocks(near) if isinstance(block, Table))
    assert [row[0] for row in table.rows] == ["drawing to nearest training image", "real: held out"]
