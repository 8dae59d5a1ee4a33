"""A model that keeps its training images is caught, one that does not is let go, wrong sets are refused."""

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.data import StudyDataset, open_dataset
from llmcxr.evaluation.privacy.run import OTHER_REFERENCE, PrivacySettings, evaluate_privacy, open_training
from llmcxr.pages.document import to_markdown
from llmcxr.predictor import System
from llmcxr.records import Study
from tests.llmcxr.evaluation.fakes import Result

SIZE, CELLS = 32, 8
SETTINGS = PrivacySettings(n=6, num_training=12, size=SIZE)


@pytest.fixture(scope="module")
def training():
    return open_dataset("phantom:n=20,seed=5")


@pytest.fixture(scope="module")
def held_out():
    return open_dataset("phantom:n=8,seed=6,split=test")


def to_codes(image):
    """(8, 8) grey levels of blocks of four pixels."""
    blocks = image.reshape(CELLS, SIZE // CELLS, CELLS, SIZE // CELLS).mean((1, 3))
    return (blocks * 255).astype(np.int64)


class Keeper(System):
    """Draws for every request the training image that had it; likelihoods know what was kept."""

    abilities = frozenset({"draw", "encode", "score_image"})

    def __init__(self, source):
        self.provenance = {"dataset": "phantom:n=20,seed=5"}
        self.kept = {}
        for index in range(len(source)):
            rng = np.random.default_rng(np.random.SeedSequence((0, index)))
            self.kept[source.texts(index, rng).request] = source.read(index, SIZE)

    def encode(self, pixels):
        return np.stack([to_codes(image) for image in pixels])

    def draw(self, texts, *, seed=0, best_of=1):
        return [Result(text, self.kept[text], to_codes(self.kept[text])) for text in texts]

    def score_image(self, images, texts):
        known = [any(np.array_equal(image, kept) for kept in self.kept.values()) for image in images]
        return [float(is_known) if text else 0.0 for is_known, text in zip(known, texts, strict=True)]


def test_a_model_that_keeps_its_images_is_caught(training, held_out):
    result = evaluate_privacy(Keeper(training), held_out, training, SETTINGS)
    card, album = result.json, result.figures
    assert (card["n"], card["num_training"]) == (6, 12)
    assert card["exact_copies"]["copies"] == 6
    assert card["code_space"]["closest"][0] == {"drawing": 0, "training": 0, "distance": 0}
    assert card["feature_space"]["nearest"]["median"] == pytest.approx(0, abs=1e-6)
    assert {name: one["auc"] for name, one in card["membership"].items()} == {
        "log p(image given request)": 1,
        "log p(image given request) - log p(image)": 1,
    }
    text = to_markdown(result.blocks)
    assert (
        "Exact copies, by all codes: 6 of 6" in text and "drawings lie too near to training images**" in text
    )
    assert [len(sheet.pictures) for sheet in album] == [12, 12]
    np.testing.assert_array_equal(album[0].pictures[0].image, album[0].pictures[1].image)


def test_drawings_of_held_out_images_are_no_copies(training, held_out):
    settings = PrivacySettings(n=6, num_training=12, size=SIZE, requests="held-out")
    model = Keeper(held_out)
    result = evaluate_privacy(model, held_out, training, settings, reference=model)
    card = result.json
    assert card["exact_copies"]["copies"] == 0
    baseline = card["code_space"]["baselines"]["held out"]
    assert baseline["median"] == card["code_space"]["nearest"]["median"]  # they are the held-out images
    assert card["membership"][OTHER_REFERENCE]["auc"] == 0.5  # the reference is as good
    assert "no nearer to training" in to_markdown(result.blocks)


class Torn:
    """The same studies with some films damaged, and a count of how often each is read."""

    def __init__(self, dataset, damaged):
        self.dataset, self.damaged, self.read_indices = dataset, set(damaged), []

    def __getattr__(self, name):
        return getattr(self.dataset, name)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[index]

    def read(self, index, size=None):
        self.read_indices.append(index)
        if index in self.damaged:
            raise UserError(f"study {index} of the dataset: film {index}: damaged")
        return self.dataset.read(index, size)


@pytest.mark.parametrize("batch", [4, 64])
def test_a_damaged_film_leaves_one_study_out_of_either_side(training, held_out, batch, monkeypatch):
    monkeypatch.setattr("llmcxr.evaluation.privacy.run.BATCH", batch)
    trained, others = Torn(training, {0, 4, 9}), Torn(held_out, {5})
    result = evaluate_privacy(Keeper(training), others, trained, SETTINGS)
    card = result.json
    reason = "no image that can be read"
    assert card["studies"] == {
        "training": {"judged": 9, "left_out": {reason: [1, 5, 10]}},
        "held_out": {"judged": 5, "left_out": {reason: [6]}},
    }
    assert card["unread_images"]["held_out"] == [{"study": 6, "reason": "film 5: damaged"}]
    assert (card["n"], card["num_training"]) == (4, 12)  # of the first six requests, two have no film
    assert card["exact_copies"]["copies"] == 4
    # each drawing is its own training image: the indices are those of the studies, not of what was kept
    assert {(pair["drawing"], pair["training"]) for pair in card["code_space"]["closest"]} == {
        (index, index) for index in (1, 2, 3, 5)
    }
    for sheet in result.figures:
        for drawn, true in zip(sheet.pictures[::2], sheet.pictures[1::2], strict=True):
            np.testing.assert_array_equal(drawn.image, true.image)
    membership = card["membership"]["log p(image given request)"]
    assert (membership["n_training"], membership["n_held_out"], membership["auc"]) == (4, 5, 1)
    text = to_markdown(result.blocks)
    assert "3 of 12 training studies are left out, with no image that can be read (study 1, 5, 10)." in text
    assert "1 of 6 held-out studies is left out, with no image that can be read (study 6)." in text
    assert all(trained.read_indices.count(index) == 1 for index in (0, 4, 9, 6, 7, 8, 10, 11))


def test_the_requests_of_held_out_studies_without_a_film_are_not_drawn(training, held_out):
    settings = PrivacySettings(n=4, num_training=12, size=SIZE, requests="held-out")
    card = evaluate_privacy(Keeper(held_out), Torn(held_out, {1}), training, settings).json
    assert card["n"] == 3
    assert {pair["drawing"] for pair in card["code_space"]["closest"]} == {0, 2, 3}


def test_a_side_without_any_film_is_refused_with_the_first_reason(training, held_out):
    for damaged in ({0, 1, 2}, range(20)):
        with pytest.raises(UserError, match=r"expected training images .* first 3: film 0: damaged; .*--n"):
            evaluate_privacy(
                Keeper(training), held_out, Torn(training, damaged), PrivacySettings(n=3, size=SIZE)
            )
    with pytest.raises(UserError, match="expected held-out images that can be read, found none"):
        evaluate_privacy(Keeper(training), Torn(held_out, range(8)), training, SETTINGS)


class PictureOnly(System):
    abilities = frozenset({"draw"})

    def draw(self, texts, *, seed=0, best_of=1):
        return [Result(text, np.full((SIZE, SIZE), 0.5, np.float32)) for text in texts]


def test_a_system_without_codes_or_likelihoods_is_judged_by_features(training, held_out):
    result = evaluate_privacy(PictureOnly(), held_out, training, SETTINGS)
    card = result.json
    assert "code_space" not in card and "exact_copies" not in card and card["membership"] == {}
    text = to_markdown(result.blocks)
    assert "feature space" in text and "no likelihood" in text


def test_the_training_data_must_be_named_and_training_alone(training, held_out):
    assert open_training("", Keeper(held_out))[1].name == training.name
    assert open_training("phantom:n=3", PictureOnly())[0] == "phantom:n=3"
    with pytest.raises(UserError, match="found none in the system; name it by --training"):
        open_training("", PictureOnly())
    with pytest.raises(UserError, match="6 have an image"):
        evaluate_privacy(PictureOnly(), training, training, SETTINGS)
    mixed = StudyDataset([Study("a", "a", (), split="train"), Study("b", "b", (), split="test")])
    with pytest.raises(UserError, match="found 1 of train, 1 of test"):
        evaluate_privacy(PictureOnly(), held_out, mixed, SETTINGS)
    with pytest.raises(UserError, match="training or held-out"):
        PrivacySettings(requests="all")
