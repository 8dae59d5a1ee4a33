from llmcxr.evaluation.left_out import count_studies, list_unread, say_left_out, say_unread
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
    assert say_left_out(count_studies(few), "films")[0] == "1 of 9 films is left out, with no film (study 1)"


def test_each_reason_is_said_once_with_its_first_study():
    unread = list_unread({1: "a.png: damaged", 2: "no radiograph", 6: "no radiograph"})
    assert [one["study"] for one in unread] == [2, 3, 7]
    assert say_unread(unread) == ["study 2: a.png: damaged", "study 3: no radiograph"]
