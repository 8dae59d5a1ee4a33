import pytest

from llmcxr.common.errors import UserError
from llmcxr.data import StudyDataset, open_dataset
from llmcxr.evaluation.leakage import check_one_split, check_splits, check_training
from llmcxr.records import Radiograph, Study


def study(patient, image, split="train"):
    return Study(f"s-{image}", patient, (Radiograph(image, f"s-{image}", patient),), split=split)


TRAINED = StudyDataset([study("secret-ann", "i1"), study("secret-bob", "i2")])


def test_other_patients_pass():
    check_splits(StudyDataset([study("cid", "i3")]), TRAINED)


@pytest.mark.parametrize(
    ("evaluated", "says"),
    [
        ([study("secret-ann", "i1"), study("cid", "i3")], "of 2 evaluated studies 1 have an image and 1 a"),
        ([study("secret-ann", "i9")], "0 have an image and 1 a patient"),  # another image of hers
        ([study("dora", "i2")], "1 have an image and 0 a patient"),  # the image under another name
    ],
)
def test_what_training_saw_is_refused_by_count(evaluated, says):
    with pytest.raises(UserError) as error:
        check_splits(StudyDataset(evaluated), TRAINED)
    assert says in str(error.value) and "secret" not in str(error.value)


def test_phantoms_are_known_by_seed_without_computing_them():
    many = "phantom:n=1000000000,seed=0"
    check_splits(open_dataset("phantom:n=500,seed=1"), open_dataset(many))
    with pytest.raises(UserError, match="500 have an image and 500 a patient"):
        check_splits(open_dataset("phantom:n=500,seed=0"), open_dataset(many))


def test_phantoms_are_refused_one_by_one_as_well():
    trained = open_dataset("phantom:n=3,seed=0")
    with pytest.raises(UserError, match="of 1 evaluated studies 1 have"):
        check_splits(StudyDataset([trained[2]]), trained)
    check_splits(StudyDataset([open_dataset("phantom:n=1,seed=1")[0]]), trained)


def test_against_what_a_model_says_of_its_training():
    held_out = open_dataset("phantom:n=5,seed=1,split=test")
    said = check_training(held_out, {"dataset": "phantom:n=20000,seed=0"}, 5)
    assert said == "no evaluated image or patient is among the 20000 studies of the training data"
    assert "not checked" in check_training(held_out, {}, 5)
    elsewhere = check_training(held_out, {"dataset": "csv:secret/place.csv"}, 5)
    assert "the csv dataset it names cannot be opened" in elsewhere and "secret" not in elsewhere
    with pytest.raises(UserError, match="5 evaluated studies"):
        check_training(held_out, {"dataset": "phantom:n=20000,seed=1"}, 5)


def test_the_training_data_that_a_user_names():
    seen = StudyDataset([study("secret-ann", "i1", "test")])
    mixed = StudyDataset([study("cid", "i3", "test"), study("dora", "i4", "train")])
    with pytest.raises(UserError, match="choose one, such as split=test, or name the training data"):
        check_training(mixed, {}, 2)
    assert check_training(mixed, {}, 1).startswith("not checked")
    assert check_training(mixed, {}, 2, "unknown").endswith("which are unknown")
    assert check_training(mixed, {}, 2, "phantom:n=2").startswith("no evaluated image")
    with pytest.raises(UserError, match=r"nowhere\.csv"):  # unlike what a model names, it must be there
        check_training(seen, {}, 1, "csv:nowhere.csv")


def test_the_first_studies_alone_are_checked():
    both = StudyDataset([study("cid", "i3"), study("secret-ann", "i1")])
    check_splits(both, TRAINED, n=1)
    with pytest.raises(UserError, match="of 2 evaluated"):
        check_splits(both, TRAINED, n=2)
    with pytest.raises(UserError, match="of 3 evaluated studies 3 have"):
        check_splits(open_dataset("phantom:n=9,seed=4"), open_dataset("phantom:n=9,seed=4"), n=3)


def test_one_split():
    assert check_one_split([study("a", "1", "test"), study("b", "2", "test")]) == "test"
    with pytest.raises(UserError, match="found 1 of train, 2 of test"):
        check_one_split([study("a", "1", "test"), study("b", "2", "test"), study("c", "3")])
    with pytest.raises(UserError, match="found none"):
        check_one_split([])
