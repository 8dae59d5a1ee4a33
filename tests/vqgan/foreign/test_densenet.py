from pathlib import Path

import pytest
import torch

from vqgan.foreign.densenet import DIMENSION, DenseNetFeatures


def published(directory: Path) -> tuple[DenseNetFeatures, Path]:
    """Random weights under torchxrayvision's names, with what its files hold besides."""
    torch.manual_seed(0)
    model = DenseNetFeatures().eval()
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.1)
                layer.running_var.uniform_(0.5, 2)
    weights = {f"features.{name}": weight for name, weight in model.layers.state_dict().items()}
    weights |= {"classifier.weight": torch.zeros(18, DIMENSION), "op_threshs": torch.zeros(18)}
    torch.save(weights, directory / "densenet.pt")
    return model, directory / "densenet.pt"


def test_the_weights_are_loaded_and_frozen(tmp_path: Path) -> None:
    expected, file = published(tmp_path)
    model = DenseNetFeatures.from_weights(file)
    images = torch.rand(1, 1, 224, 224)
    with torch.no_grad():
        assert torch.equal(model.embed(images), expected.embed(images))
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_it_has_the_layers_of_densenet_121() -> None:
    with torch.device("meta"):
        layers = DenseNetFeatures().layers
    # DenseNet-121 has 7,978,856 parameters (Huang et al. 2017, torchvision): 1,025,000 are its 1000 classes',
    # and two of three input channels, 2 * 64 * 49, are not here.
    assert sum(parameter.numel() for parameter in layers.parameters()) == 7_978_856 - 1_025_000 - 6_272
    names = set(layers.state_dict())
    assert {"conv0.weight", "denseblock3.denselayer24.conv2.weight", "transition3.conv.weight"} <= names
    assert {"norm5.running_var", "denseblock4.denselayer16.norm1.bias"} <= names


def test_grey_levels_reach_the_network_from_minus_to_plus_1024_at_224_pixels() -> None:
    model, seen = DenseNetFeatures().eval(), []
    model.layers.conv0.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    black_and_white = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 1, 64, 64)
    with torch.no_grad():
        assert model.embed(black_and_white).shape == (2, DIMENSION)
    assert seen[0].shape == (2, 1, 224, 224)
    torch.testing.assert_close(seen[0].amin((1, 2, 3)), torch.tensor([-1024.0, 1024.0]))
    torch.testing.assert_close(seen[0].amax((1, 2, 3)), torch.tensor([-1024.0, 1024.0]))


def test_weights_of_another_network_are_refused_with_the_first_name(tmp_path: Path) -> None:
    torch.save({"features.conv0.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "colour.pt")
    with pytest.raises(
        ValueError, match=r"features.conv0.weight of shape \(64, 1, 7, 7\), found \(64, 3, 7, 7\)"
    ):
        DenseNetFeatures.from_weights(tmp_path / "colour.pt")
