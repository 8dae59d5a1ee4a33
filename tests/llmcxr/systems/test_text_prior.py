import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.systems.text_prior import TextPrior

IMAGES = [np.zeros((32, 32), np.float32)] * 2


def write(path, reports):
    for number in range(len(reports)):
        (path.parent / f"image{number}.png").touch()  # must be there; only the words are read
    rows = [f'image{number}.png,"{text}",train' for number, text in enumerate(reports)]
    path.write_text("\n".join(["image,text,split", *rows]) + "\n")
    return f"csv:{path}"


def test_the_commonest_report_of_the_commonest_findings(tmp_path):
    reports = ["Left effusion.", "Left effusion.", "Clear.", "No effusion.", "Clear.", "No pneumothorax."]
    prior = TextPrior.learn(write(tmp_path / "radiographs.csv", reports))
    # nothing is found in four of six, and half of these say "Clear."
    assert [one.text for one in prior.report(IMAGES)] == ["Clear.", "Clear."]
    assert prior.provenance["dataset"].endswith("radiographs.csv")
    with pytest.raises(UserError, match="reads and answers only"):
        prior.draw(["Effusion."])


def test_answers_by_question_and_to_new_ones():
    prior = TextPrior("", {"Is it PA?": "Yes."}, "No.", {})
    assert [one.text for one in prior.answer(IMAGES, ["Is it PA?", "Is it AP?"])] == ["Yes.", "No."]


def test_phantoms_give_answers_too():
    prior = TextPrior.learn("phantom:n=30,seed=5")
    assert prior.answers and prior.answer_to_others in prior.answers.values()


def test_a_dataset_without_words(tmp_path):
    with pytest.raises(UserError, match="expected studies with reports or questions"):
        TextPrior.learn(write(tmp_path / "radiographs.csv", ["", ""]))


def test_questions_alone_are_answered(tmp_path):
    (tmp_path / "q.csv").write_text("study_id,question,answer\na,PA?,Yes.\nb,PA?,Yes.\nc,PA?,No.\n")
    prior = TextPrior.learn(f"csv:{tmp_path / 'q.csv'}")
    assert prior.answers == {"PA?": "Yes."} and prior.abilities == {"answer"}
