import json

import numpy as np
import pytest

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.records import Radiograph, Study
from llmcxr.systems.prediction_file import Predictions

IDS = ["secret-1", "secret-2", "secret-3"]


def write(folder, text, name="p.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_reports_come_in_the_order_asked_and_an_empty_one_is_kept(tmp_path):
    text = 'id,report\nsecret-2,"Clear, no effusion."\nsecret-1,\nsecret-3,Large heart.\n'
    predictions = Predictions.read(write(tmp_path, text))
    assert predictions.reports_for(IDS) == ["", "Clear, no effusion.", "Large heart."]
    assert predictions.abilities == {"report"}


def test_jsonl_with_reports_and_answers_in_any_rows(tmp_path):
    rows = [
        {"id": 1, "report": "Clear.", "question": "Effusion?", "answer": "No."},
        {"id": "1", "question": "View?", "answer": "PA.", "report": None},
        {"id": "2", "report": ""},
        {"id": "2", "question": "Effusion?", "answer": ""},
    ]
    predictions = Predictions.read(write(tmp_path, "\n\n".join(map(json.dumps, rows)), "p.jsonl"))
    assert predictions.reports_for(["1", "2"]) == ["Clear.", ""]
    asked = ["1", "2", "1"], ["View?", " Effusion? ", "Effusion?"]
    assert predictions.answers_for(*asked) == ["PA.", "", "No."]


def test_csv_rows_with_a_question_have_no_empty_report(tmp_path):
    text = "id,report,question,answer\na,Clear.,,\na,,Effusion?,No.\na,,View?,\n"
    predictions = Predictions.read(write(tmp_path, text))
    assert predictions.reports_for(["a"]) == ["Clear."]
    assert predictions.answers_for(["a", "a"], ["View?", "Effusion?"]) == ["", "No."]


def test_drawings_are_read_beside_the_file(tmp_path):
    picture = np.tile(np.linspace(0, 1, 16, dtype=np.float32), (20, 1))
    images.write_png(tmp_path / "drawn" / "a.png", picture)
    drawn = Predictions.read(write(tmp_path, "id,image\na,drawn/a.png\n")).drawings_for(["a"])
    assert drawn[0].shape == (20, 16) and np.allclose(drawn[0], picture, atol=1 / 255)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("secret-1,x\nsecret-2,x\n", "none for 1 of 3 (by their order: study 3)"),
        ("secret-1,x\nsecret-2,x\nsecret-3,x\nsecret-4,x\nsecret-5,x\n", "2 for others (row 4, 5)"),
        ("secret-1,x\nsecret-1,y\nsecret-2,x\nsecret-3,x\nsecret-1,z\n", "found 2 duplicates (row 2, 5)"),
    ],
)
def test_ids_that_are_not_those_evaluated_are_counted_and_not_shown(tmp_path, body, says):
    path = write(tmp_path, "id,report\n" + body)
    with pytest.raises(UserError) as error:
        Predictions.read(path).reports_for(IDS)
    assert says in str(error.value)
    assert "secret" not in str(error.value)


def test_ids_that_are_not_understood_are_shown_one_of_each_side(tmp_path):
    path = write(tmp_path, "id,report\nfilm a,x\nfilm b,x\n")
    with pytest.raises(UserError) as error:
        Predictions.read(path).reports_for(["x-7", "x-8"])
    said = str(error.value)
    assert "none for 2 of 2 (by their order: study 1, 2) and 2 for others (row 1, 2)" in said
    assert "'film a'" in said and "'x-7'" in said
    assert "film b" not in said and "x-8" not in said


def test_at_most_three_rows_are_shown(tmp_path):
    path = write(tmp_path, "id,report\n" + "a,x\n" * 9)
    with pytest.raises(UserError, match=r"8 duplicates \(row 2, 3, 4, \.\.\.\)"):
        Predictions.read(path)


def test_missing_and_extra_answers_are_told_as_questions(tmp_path):
    predictions = Predictions.read(write(tmp_path, "id,question,answer\na,View?,PA.\na,Effusion?,No.\n"))
    with pytest.raises(UserError, match=r"question 2\) and 1 for others \(row 2\)"):
        predictions.answers_for(["a", "b"], ["View?", "View?"])
    with pytest.raises(UserError, match="one report for every study"):
        predictions.reports_for(["a"])


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("p.txt", "id,report\na,x\n", "a .csv or .jsonl file"),
        ("p.csv", "report\nx\n", "expected the column id"),
        ("p.csv", "id,text\na,x\n", "at least one of report, answer, image"),
        ("p.csv", "id,answer\na,Yes.\n", "found no question"),
        ("p.csv", "id,report\n", "at least one row"),
        ("p.csv", "id,report\n,x\n", "the id of a study in row 1"),
        ("p.csv", "id,image\na,\n", "found none"),
        ("p.csv", "id,report\na,Clear, no effusion.\n", "2 cells in row 1 (line 2)"),
        ("p.csv", "id,report\na\n", "2 cells in row 1 (line 2)"),
        (
            "p.csv",
            'id,report\na,"Clear.\nb,Large heart.\n',
            "line 2, found a double quote that is not closed",
        ),
        ("p.csv", "id,report,report\na,x,y\n", "one name for columns 2 and 3"),
        ("p.jsonl", "", "an empty file"),
        ("p.jsonl", '{"id": "a", "report": "x"}\n{"id": ', "in row 2 (line 2), found text that is none"),
        ("p.jsonl", "[1]", "row 1 of the list that begins in line 1, found a int"),
        ("p.jsonl", '{"id": "a", "report": 3}', "text as report in row 1, found int"),
        ("p.jsonl", '{"id": true, "report": "x"}', "the id of a study in row 1"),
        ("p.jsonl", '{"id": "a", "question": "x?", "answer": null, "report": "x"}', "question and answer"),
        ("p.jsonl", '{"report": "x"}', "expected id and at least one of"),
    ],
)
def test_bad_files(tmp_path, name, text, says):
    with pytest.raises(UserError) as error:
        Predictions.read(write(tmp_path, text, name))
    assert says in str(error.value)


def test_a_key_that_may_be_a_patients_is_counted_and_not_shown(tmp_path):
    with pytest.raises(UserError, match="found report, 1 other;") as error:
        Predictions.read(write(tmp_path, '{"DOE^JANE 4711": "x", "report": "y"}', "p.jsonl"))
    assert "DOE" not in str(error.value)


@pytest.mark.parametrize("name", ["none.csv", "none.jsonl"])
def test_no_file(tmp_path, name):
    with pytest.raises(UserError, match="check the path"):
        Predictions.read(tmp_path / name)


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "p.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="UTF-8"):
        Predictions.read(tmp_path / "p.jsonl")


def make_study(number):
    image = f"films/chest-{number}.png"
    radiograph = Radiograph(image, f"s{number}", f"p{number}", f"/archive/{image}", "PA")
    return Study(f"s{number}", f"p{number}", (radiograph,))


def test_what_the_report_command_writes_is_taken_as_it_is(tmp_path):
    lines = [
        {
            "image": f"/archive/films/chest-{number}.png",
            "sections": {"findings": "Clear."},
            "text": f"Report {number}.",
        }
        for number in (2, 1)
    ]
    path = write(tmp_path, "\n".join(map(json.dumps, lines)), "reports.json")
    predictions = Predictions.read(path).for_studies([make_study(1), make_study(2)])
    assert predictions.reports_for(["s1", "s2"]) == ["Report 1.", "Report 2."]
    answer = {"image": "chest-1.png", "question": "Large?", "text": "No."}
    path = write(tmp_path, json.dumps(answer), "answers.jsonl")
    assert Predictions.read(path).for_studies([make_study(1)]).answers_for(["s1"], ["Large?"]) == ["No."]
    path = write(tmp_path, "image,text\nchest-1.png,Clear.\n")
    assert Predictions.read(path).for_studies([make_study(1)]).reports_for(["s1"]) == ["Clear."]


def test_studies_of_the_dataset_that_are_not_asked_about_are_no_others(tmp_path):
    path = write(tmp_path, "id,report\n1,One.\n2,Two.\n3.0,Three.\n")
    predictions = Predictions.read(path).for_studies([make_study(number) for number in (1, 2, 3, 4)])
    assert predictions.reports_for(["s1", "s2"]) == ["One.", "Two."] and predictions.reach == 3
    with pytest.raises(UserError, match=r"none for 1 of 4 .*such as the first 3 \(--n 3\)"):
        predictions.reports_for(["s1", "s2", "s3", "s4"])
    with pytest.raises(UserError, match="1 for others"):
        Predictions.read(path).for_studies([make_study(1), make_study(2)]).reports_for(["s1"])


def test_one_study_spelled_twice_is_a_duplicate(tmp_path):
    path = write(tmp_path, "id,report\ns1,One.\nS1 ,Other.\n")
    with pytest.raises(UserError, match="1 for others"):
        Predictions.read(path).for_studies([make_study(1)]).reports_for(["s1"])


def test_a_number_as_id(tmp_path):
    path = write(tmp_path, '{"id": 1.0, "report": "One."}', "p.jsonl")
    assert Predictions.read(path).for_studies([make_study(1)]).reports_for(["s1"]) == ["One."]


def test_a_file_that_lacks_a_part_is_named_with_what_it_has(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("id,report\n1,Clear.\n")
    predictions = Predictions.read(path)
    assert str(predictions.cannot("score_sentences")).startswith("a file of predictions ")
    assert str(predictions.cannot("answer")).startswith(
        f"{path}: expected answers to questions, found reports only; "
    )
