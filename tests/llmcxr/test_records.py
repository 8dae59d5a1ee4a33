import pytest

from llmcxr.records import Radiograph, Report, Study, split_by_patient


@pytest.mark.parametrize(("view", "is_frontal"), [("PA", True), ("AP", True), ("lateral", False)])
def test_pa_and_ap_are_frontal(view, is_frontal):
    assert Radiograph("i", "s", "p", view_position=view).is_frontal == is_frontal
    assert not Radiograph("i", "s", "p").is_frontal  # unknown


def test_a_report_is_there_where_it_has_findings_or_an_impression():
    assert Report(findings="Clear lungs.") and Report(impression="Normal.")
    assert not Report() and not Report(indication="Cough.", technique="PA.")


def test_a_study_of_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="got 'val'"):
        Study("s", "p", (), split="val")


def test_a_patients_split_follows_from_the_id_in_about_the_shares_asked_for():
    splits = [split_by_patient(str(number), validate=0.2, test=0.3) for number in range(1000)]
    assert splits == [split_by_patient(str(number), validate=0.2, test=0.3) for number in range(1000)]
    assert splits.count("test") == pytest.approx(300, abs=50)
    assert splits.count("validate") == pytest.approx(200, abs=50)
    assert split_by_patient("0", validate=0, test=0) == "train"
    assert split_by_patient("0", validate=0, test=1) == "test"
