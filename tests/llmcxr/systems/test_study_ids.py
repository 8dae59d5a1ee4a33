import pytest

from llmcxr.records import Radiograph, Study
from llmcxr.systems.study_ids import match_ids


def make_study(study_id, patient_id="p", **views):
    """Make a study of images, view=name."""
    radiographs = tuple(
        Radiograph(name, study_id, patient_id, f"/archive/{name}", view) for view, name in views.items()
    )
    return Study(study_id, patient_id, radiographs)


STUDIES = [
    make_study(f"s{number}", f"p{number}", lateral=f"films/{number}-side.png", PA=f"films/chest-{number}.png")
    for number in (7, 8)
]


@pytest.mark.parametrize(
    "ids",
    [
        ("s7", "s8"),
        (" S7 ", "S8"),
        ("7", "8"),
        ("7.0", "8.0"),
        ("007", "008"),
        ("p7/s7", "p8/s8"),
        ("films/chest-7.png", "films/chest-8.png"),
        ("chest-7", "CHEST-8"),
        ("./chest-7.jpg", "/elsewhere/films/chest-8.dcm.png"),
        ("films\\chest-7.png", "films\\chest-8.png"),
        ("7-side.png", "8-side"),
        ("p7", "P8"),
        ("s7.txt", "8.xml"),
        ("p7/s7/a1b2.jpg", "files/p8/S8/c3.png"),  # images that the dataset does not list
    ],
)
def test_spellings_of_one_id(ids):
    assert match_ids(ids, STUDIES) == dict(zip(ids, ("s7", "s8"), strict=True))


def test_another_image_of_a_study_that_is_named_means_nothing():
    assert match_ids(["chest-7", "7-side", "s8"], STUDIES) == {"chest-7": "s7", "7-side": "", "s8": "s8"}


def test_the_strictest_spelling_wins():
    studies = [make_study("1"), make_study("01"), make_study("s1")]
    assert match_ids(["1", "01", "s1"], studies) == {"1": "1", "01": "01", "s1": "s1"}
    assert match_ids(["1.0"], studies) == {"1.0": "1"}


@pytest.mark.parametrize(
    ("ids", "studies"),
    [
        (["007"], [make_study("7"), make_study("07")]),  # either
        (["7", "07"], [make_study("s7")]),  # both would be s7: 7 is, 07 is not
        (["img.png"], [make_study("a", PA="x/img.png"), make_study("b", PA="y/img.png")]),
        (["case 7"], [make_study("s7")]),  # a number in two series
        (["p2/s1"], [make_study("s1", "p1"), make_study("s2", "p2")]),  # another patient's
        (["p1"], [make_study("a", "p1"), make_study("b", "p1")]),
        (["17"], [make_study("7"), make_study("170")]),
        (["nothing"], [make_study("7")]),
        (["s7/a.png", "s7/b.png"], [make_study("7")]),
    ],
)
def test_what_could_mean_two_is_not_matched(ids, studies):
    matched = match_ids(ids, studies)
    assert ids[-1] not in matched and len(set(matched.values())) == len(matched)


def test_folders_tell_images_of_one_name_apart():
    studies = [make_study("a", PA="x/img.png"), make_study("b", PA="y/img.png")]
    assert match_ids(["y/img.png", "x/img"], studies) == {"y/img.png": "b", "x/img": "a"}
