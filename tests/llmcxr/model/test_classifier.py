import json

import numpy as np
import pytest
import torch

from llmcxr.common.errors import UserError
from llmcxr.data.phantom.case import FINDINGS
from llmcxr.model.classifier import SIDE_CHOICES, ZONE_CHOICES, Classifier, ClassifierConfig, to_probabilities
from vqgan.shipped import find_directory

TINY = ClassifierConfig(image_size=32, width=4, hidden=16, pooled_channels=4)


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    return Classifier(TINY).eval()


def test_default_fits_four_megabytes():
    assert sum(weight.numel() for weight in Classifier().parameters()) <= 1_200_000


def test_output_shapes(classifier):
    output = classifier(torch.rand(3, 1, 32, 32))
    assert output.presence.shape == (3, len(FINDINGS))
    assert {name: logits.shape[1] for name, logits in output.sides.items()} == {
        name: len(choices) for name, choices in SIDE_CHOICES.items()
    }
    assert set(output.zones) == set(ZONE_CHOICES)
    assert output.ratio.shape == (3,)


def test_features_are_a_quarter_then_halve(classifier):
    maps = classifier.features(torch.rand(2, 1, 32, 32))
    assert [tuple(one.shape[1:]) for one in maps] == [(4, 8, 8), (8, 4, 4), (12, 2, 2)]


def test_gradients_reach_the_pixels(classifier):
    images = torch.rand(1, 1, 32, 32, requires_grad=True)
    sum(one.mean() for one in classifier.features(images)).backward()
    assert images.grad.abs().sum() > 0


def test_predict_batches_alike_and_resizes(classifier):
    images = np.random.default_rng(0).random((5, 32, 32), dtype=np.float32)
    together = classifier.predict(images)
    alone = [classifier.predict(image[None], batch_size=1)[0] for image in images]
    for first, second in zip(together, alone, strict=True):
        assert first.cardiothoracic_ratio == pytest.approx(second.cardiothoracic_ratio, abs=1e-5)
    reading = classifier.predict(images.repeat(2, 1).repeat(2, 2))[0]
    assert reading.findings["nodule"].side in ("left", "right")
    assert reading.findings["nodule"].zone in ("upper", "mid", "lower")
    assert reading.findings["edema"].side == ""
    assert set(reading.present) <= set(FINDINGS)


def test_probabilities_have_a_row_an_image_and_a_column_a_finding(classifier):
    readings = classifier.predict(torch.rand(3, 1, 64, 64))
    probabilities = to_probabilities(readings, ("nodule", "edema"))
    assert probabilities.shape == (3, 2)
    assert probabilities[2, 0] == readings[2].findings["nodule"].probability
    assert to_probabilities([], FINDINGS).shape == (0, len(FINDINGS))


def test_save_and_load_agree(classifier, tmp_path):
    classifier.save_pretrained(tmp_path)
    loaded = Classifier.from_pretrained(tmp_path)
    images = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(loaded(images).presence, classifier(images).presence, atol=2e-3, rtol=0)
    loaded.save_pretrained(tmp_path / "again")
    again = (tmp_path / "again" / "model.safetensors").read_bytes()
    assert again == (tmp_path / "model.safetensors").read_bytes()


def test_what_is_missing_or_other_is_named(classifier, tmp_path):
    with pytest.raises(UserError, match=r"config\.json is missing"):
        Classifier.from_pretrained(tmp_path)
    classifier.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "findings": ["fracture"]}))
    with pytest.raises(UserError, match="not the classifier of fracture"):
        Classifier.from_pretrained(tmp_path)


def test_a_directory_of_another_kind_is_refused():
    with pytest.raises(UserError, match="expected the description of a classifier, found another's"):
        Classifier.from_pretrained(find_directory("cxr"))  # an image tokenizer's: files of the same names


def test_a_description_nested_too_deep_is_refused(tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_text("[" * 100_000)
    with pytest.raises(UserError, match="expected the description of a classifier"):
        Classifier.from_pretrained(tmp_path)


def test_findings_of_radiographs_have_presence_alone(tmp_path):
    Classifier(TINY, ("edema", "pleural effusion"), predicts_location=False).save_pretrained(tmp_path)
    classifier = Classifier.from_pretrained(tmp_path)
    output = classifier(torch.rand(3, 1, 32, 32))
    assert output.presence.shape == (3, 2) and output.ratio is None and not output.sides and not output.zones
    reading = classifier.predict(np.zeros((1, 32, 32), np.float32))[0]
    assert list(reading.findings) == ["edema", "pleural effusion"] and reading.cardiothoracic_ratio is None
    assert reading.findings["pleural effusion"].side == ""


def test_an_image_of_another_size_is_resampled_with_gradients(classifier):
    images = torch.rand(2, 1, 32, 32)
    doubled = images.repeat_interleave(2, 2).repeat_interleave(2, 3).requires_grad_()
    features = classifier.embed(doubled)
    assert features.shape == (2, TINY.hidden)
    features.sum().backward()
    assert (doubled.grad.abs().amax((1, 2, 3)) > 0).all()
    flat = torch.full((1, 1, 64, 64), 0.4)
    torch.testing.assert_close(classifier.embed(flat), classifier.embed(flat[..., :32, :32]))


def test_wrong_shapes_are_refused(classifier):
    with pytest.raises(ValueError, match="expected images"):
        classifier(torch.rand(1, 3, 32, 32))
    with pytest.raises(ValueError, match="square"):
        classifier.predict(np.zeros((1, 32, 16), np.float32))


def test_weights_that_are_not_finite_are_named(tmp_path):
    broken = Classifier()
    name, weight = next(iter(broken.named_parameters()))
    weight.data.view(-1)[0] = torch.inf
    with pytest.raises(UserError, match=f"classifier's scores .*{name}"):
        broken.predict(torch.zeros(1, 1, 64, 64))
    broken.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=f"model.safetensors: .*{name}"):
        Classifier.from_pretrained(tmp_path)


def test_a_model_of_another_program_is_not_replaced(tmp_path):
    small = Classifier(ClassifierConfig(image_size=32, width=4, hidden=16, pooled_channels=4), ("edema",))
    small.save_pretrained(tmp_path / "ours")
    small.save_pretrained(tmp_path / "ours")
    (tmp_path / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    with pytest.raises(UserError, match="expected the description of a classifier, or none, found another's"):
        small.save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "ours"]


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (None, "found NoneType"),
        ([[0.5]], "found list"),
        (torch.zeros(20, 20), r"found torch.float32 \(20, 20\)"),
        (torch.zeros(1, 3, 20, 20), r"found torch.float32 \(1, 3, 20, 20\)"),
        (torch.zeros(1, 20, 30), "letterbox"),
        (torch.full((1, 20, 20), torch.nan), "must be finite"),
        (np.full((1, 1, 20, 20), 255), r"must lie in \[0, 1\], found 255"),
    ],
)
def test_what_is_no_batch_of_images_is_said(images, says):
    classifier = Classifier(ClassifierConfig(image_size=32, width=8, hidden=8))
    with pytest.raises(UserError, match=says):
        classifier.predict(images)
    assert classifier.training and classifier.predict(np.zeros((0, 20, 20))) == []


def test_a_classifier_is_loaded_to_the_device_that_is_named(tmp_path):
    Classifier(ClassifierConfig(image_size=32, width=8, hidden=8)).save_pretrained(tmp_path)
    found = next(Classifier.from_pretrained(tmp_path, device="auto").parameters()).device.type
    assert found == ("cuda" if torch.cuda.is_available() else "cpu")
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o044


def test_a_damaged_width_is_refused_before_it_takes_memory(classifier, tmp_path):
    classifier.save_pretrained(tmp_path / "wide")
    config = json.loads((tmp_path / "wide" / "config.json").read_text())
    (tmp_path / "wide" / "config.json").write_text(json.dumps({**config, "width": 30_000}))
    with pytest.raises(UserError, match=r"is not the classifier of .*\(other sizes\)"):
        Classifier.from_pretrained(tmp_path / "wide")
