import json
import sys
import weakref

import numpy as np
import pytest
import torch
from transformers import Dinov2Config, Dinov2Model

from llmcxr.common.errors import UserError
from llmcxr.metrics.images.features import extract, open_extractor
from llmcxr.model.classifier import Classifier, ClassifierConfig
from vqgan.foreign.densenet import DenseNetFeatures


@pytest.fixture
def classifier(tmp_path):
    torch.manual_seed(0)
    Classifier(ClassifierConfig(image_size=32, width=4, hidden=16, pooled_channels=4)).save_pretrained(
        tmp_path / "judge"
    )
    return tmp_path / "judge"


def noise(n, size=32, seed=0):
    return np.random.default_rng(seed).random((n, size, size), dtype=np.float32)


def test_default_is_the_shipped_classifier():
    extractor = open_extractor()
    features = extractor(noise(2, 64))
    assert (extractor.name, extractor.dimension) == ("classifier", 192)
    assert features.shape == (2, 192) and features.dtype == np.float32


def test_outputs_of_a_classifier_are_linear_in_its_features(classifier):
    images = noise(3)
    features = open_extractor(f"classifier:{classifier}")(images)
    model = Classifier.from_pretrained(classifier)
    expected = model(torch.from_numpy(images)[:, None]).presence
    actual = model.head(torch.from_numpy(features))[:, : expected.shape[1]]
    torch.testing.assert_close(actual, expected)


def test_batches_and_streams_give_the_same(classifier):
    extractor = open_extractor(f"classifier:{classifier}")
    images = noise(7)
    together = extractor(images)
    np.testing.assert_allclose(extract(extractor, images, batch=3), together, atol=1e-5)
    np.testing.assert_allclose(extract(extractor, (image for image in images), batch=7), together, atol=1e-5)
    assert extract(extractor, []).shape == (0, 16)


def test_no_more_than_a_batch_is_held(classifier):
    alive: weakref.WeakSet = weakref.WeakSet()
    held: list[int] = []

    class Film(np.ndarray):
        __hash__ = object.__hash__

    def stream():
        for number in range(40):
            image = noise(1, seed=number)[0].view(Film)
            alive.add(image)
            held.append(len(alive))
            yield image

    extract(open_extractor(f"classifier:{classifier}"), stream(), batch=8)
    assert max(held) <= 2 * 8 + 2


def test_nan_names_the_image(classifier):
    images = noise(10)
    images[7, 0, 0] = np.nan
    with pytest.raises(UserError, match=r"1 of a batch of 4 images .* the first is image 7"):
        extract(open_extractor(f"classifier:{classifier}"), images, batch=4)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("clip:x", "unknown feature extractor"),
        ("xrv", "needs the path of its weights"),
        ("xrv:no/such.pt", "found nothing there"),
        ("classifier:no/such", "found nothing there"),
    ],
)
def test_bad_names_are_explained(name, words):
    with pytest.raises(UserError, match=words):
        open_extractor(name)


def test_rad_dino_from_a_directory(tmp_path):
    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=24, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14
    )
    model = Dinov2Model(config).eval()
    model.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"expected preprocessor_config\.json"):
        open_extractor(f"rad-dino:{tmp_path}")
    settings = {
        "image_mean": [0.53] * 3,
        "image_std": [0.26] * 3,
        "crop_size": {"height": 28, "width": 28},
    }
    for content in ("[1]", "{}", "[" * 100_000):
        (tmp_path / "preprocessor_config.json").write_text(content)
        with pytest.raises(UserError, match="expected image_mean, image_std and crop_size"):
            open_extractor(f"rad-dino:{tmp_path}")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    extractor = open_extractor(f"rad-dino:{tmp_path}")
    images = noise(2, 28)
    pixels = torch.from_numpy((images[:, None] - 0.53) / 0.26).expand(-1, 3, -1, -1)
    with torch.no_grad():
        expected = model(pixels).pooler_output  # Dinov2 pools by its class token
    assert extractor.dimension == 24
    np.testing.assert_allclose(extractor(images), expected.numpy(), atol=1e-5)


def test_inception_from_torchscript(tmp_path):
    class Inception(torch.nn.Module):
        def forward(self, images: torch.Tensor, return_features: bool = False) -> torch.Tensor:
            assert images.dtype == torch.uint8 and images.shape[1] == 3 and return_features
            return images.float().mean((1, 2, 3))[:, None].repeat(1, 2048)

    torch.jit.script(Inception()).save(tmp_path / "inception.pt")
    features = open_extractor(f"inception:{tmp_path / 'inception.pt'}")(np.full((2, 8, 8), 0.2, np.float32))
    assert features.shape == (2, 2048)
    np.testing.assert_allclose(features, 51)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    for package in ("torch_fidelity", "torch_fidelity.feature_extractor_inceptionv3"):
        monkeypatch.setitem(sys.modules, package, None)
    torch.save({}, tmp_path / "weights.pt")
    with pytest.raises(UserError, match=r"pip install llmcxr\[features\]"):
        open_extractor(f"inception:{tmp_path / 'weights.pt'}")


def test_xrv_needs_its_weights_alone(tmp_path):
    torch.manual_seed(0)
    net = DenseNetFeatures().eval()
    weights = {f"features.{name}": weight for name, weight in net.layers.state_dict().items()}
    weights |= {"classifier.weight": torch.zeros(14, 1024), "op_threshs": torch.zeros(14)}
    torch.save(weights, tmp_path / "densenet.pt")
    images = noise(2)
    extractor = open_extractor(f"xrv:{tmp_path / 'densenet.pt'}")
    assert extractor.dimension == 1024
    with torch.no_grad():
        expected = net.embed(torch.from_numpy(images)[:, None])
    np.testing.assert_allclose(extractor(images), expected.numpy(), rtol=1e-5)

    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"other.pt: expected the weights of a torchxrayvision DenseNet-121"):
        open_extractor(f"xrv:{tmp_path / 'other.pt'}")
