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
