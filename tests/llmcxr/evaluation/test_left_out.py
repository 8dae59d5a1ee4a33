from llmcxr.evaluation.left_out import count_studies, say_left_out
from llmcxr.systems import gather
from tests.llmcxr.evaluation.fakes import ConstantPredictor, NumberedPhantoms


def test_studies_left_out_are_counted_by_reason_and_named_by_place():
    gathered = gather(ConstantPredictor(), NumberedPhantoms(9), 9, parts=["reports"])
    few = gathered.without({0: "no film", **dict.fromkeys(range(2, 9), "no report")})
    assert count_studies(few) == {
        "judged": 1,
        "left_out": {"no film": [1], "no report": [3, 4, 5, 6, 7, 8, 9]},
    }
    assert say_left_out(count_studies(few)) == [
        "1 of 9 studies is left out, with no film (study 1)",
        "7 of 9 studies are left out, with no report (study 3, 4, 5, 6, 7, ...)",
    ]
    assert say_left_out(count_studies(gathered)) == []
