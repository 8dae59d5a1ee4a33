import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from vqgan.foreign.lpips import LPIPS, STAGES


def random_files(directory: Path) -> tuple[Path, Path]:
    """VGG-16 weights and heads of the right names and shapes: He's scale, so that no layer falls silent."""
    generator = torch.Generator().manual_seed(0)
    trunk, heads = {"classifier.6.bias": torch.zeros(1000)}, {}
    for number, stage in enumerate(STAGES):
        for index, narrow, wide in stage:
            scale = (2 / (9 * narrow)) ** 0.5
            trunk[f"features.{index}.weight"] = scale * torch.randn(wide, narrow, 3, 3, generator=generator)
            trunk[f"features.{index}.bias"] = 0.1 * torch.randn(wide, generator=generator)
        heads[f"lin{number}.model.1.weight"] = torch.rand(1, stage[-1][2], 1, 1, generator=generator)
    torch.save(trunk, directory / "vgg16.pth")
    torch.save(heads, directory / "heads.pth")
    return directory / "vgg16.pth", directory / "heads.pth"


def vgg16(pretrained: bool = False, **_ignored) -> nn.Module:
    """The layers of torchvision's VGG-16 in their order, which is all that lpips takes from it."""
    layers: list[nn.Module] = []
    for stage in STAGES:
        for _, narrow, wide in stage:
            layers += [nn.Conv2d(narrow, wide, 3, padding=1), nn.ReLU(inplace=True)]
        layers.append(nn.MaxPool2d(2, 2))
    model = nn.Module()
    model.features = nn.Sequential(*layers)
    return model


@pytest.fixture
def lpips_package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The lpips package on the layers above: a torchvision that fits this torch need not be there."""
    torchvision, models = ModuleType("torchvision"), ModuleType("torchvision.models")
    torchvision.models, models.vgg16 = models, vgg16
    monkeypatch.setitem(sys.modules, "torchvision", torchvision)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    yield pytest.importorskip("lpips", reason="needs pip install --no-deps lpips")
    for name in [name for name in sys.modules if name.split(".")[0] == "lpips"]:
        del sys.modules[name]


def test_the_numbers_of_the_lpips_package(tmp_path: Path, lpips_package: ModuleType) -> None:
    vgg, heads = random_files(tmp_path)
    ours = LPIPS.from_weights(vgg, heads)
    theirs = lpips_package.LPIPS(net="vgg", pretrained=False, pnet_rand=True, verbose=False)
    weights = torch.load(vgg, weights_only=True)
    for part in (
        theirs.net.slice1,
        theirs.net.slice2,
        theirs.net.slice3,
        theirs.net.slice4,
        theirs.net.slice5,
    ):
        for index, layer in part.named_children():
            if isinstance(layer, nn.Conv2d):
                layer.weight.data = weights[f"features.{index}.weight"]
                layer.bias.data = weights[f"features.{index}.bias"]
    missing = theirs.load_state_dict(torch.load(heads, weights_only=True), strict=False)
    assert not missing.unexpected_keys
    torch.manual_seed(0)
    one, other = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    expected = theirs(one, other, normalize=True).flatten()
    assert expected.min() > 0.01
    torch.testing.assert_close(ours(one, other), expected, rtol=1e-5, atol=1e-7)
    grey = one[:, :1]
    repeated = theirs(grey.repeat(1, 3, 1, 1), other, normalize=True).flatten()
    torch.testing.assert_close(ours(grey, other), repeated, rtol=1e-5, atol=1e-7)


def test_the_heads_that_the_lpips_package_carries_are_read(tmp_path: Path, lpips_package: ModuleType) -> None:
    carried = Path(lpips_package.__file__).parent / "weights" / "v0.1" / "vgg.pth"
    model = LPIPS.from_weights(random_files(tmp_path)[0], carried)
    assert [head.numel() for head in model.heads] == [64, 128, 256, 512, 512]
    assert all((head >= 0).all() and head.max() > 0 for head in model.heads)


def test_equal_images_are_at_no_distance_and_have_a_gradient(tmp_path: Path) -> None:
    model = LPIPS.from_weights(*random_files(tmp_path))
    images = torch.rand(1, 1, 32, 32)
    reconstruction = images.clone().requires_grad_()
    distance = model(reconstruction, images)
    assert distance.item() == 0
    distance.sum().backward()
    assert torch.isfinite(reconstruction.grad).all()
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_features_that_are_all_zero_have_a_gradient_too() -> None:
    from vqgan.foreign.lpips import _unit

    maps = torch.zeros(1, 4, 1, 1, requires_grad=True)
    _unit(maps).sum().backward()
    assert torch.isfinite(maps.grad).all()


def test_a_wrong_file_is_named_with_the_weight(tmp_path: Path) -> None:
    vgg, heads = random_files(tmp_path)
    with pytest.raises(
        ValueError, match=r"vgg16.pth: expected a weight lin0.model.1.weight of shape .* found none"
    ):
        LPIPS.from_weights(vgg, vgg)
    weights = torch.load(vgg, weights_only=True)
    weights["features.0.weight"] = weights["features.0.weight"][:, :1]
    torch.save(weights, tmp_path / "grey.pth")
    with pytest.raises(ValueError, match=r"shape \(64, 3, 3, 3\), found \(64, 1, 3, 3\)"):
        LPIPS.from_weights(tmp_path / "grey.pth", heads)
