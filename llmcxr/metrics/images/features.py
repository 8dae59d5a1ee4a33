"""Turn images into features by a network of one's choice; each but the package's own is given by path.

B images of H x W pixels, D features.

    classifier         the hidden layer of the classifier that ships with the package (phantoms only)
    classifier:DIR     the same of another `Classifier` directory
    xrv:WEIGHTS        a torchxrayvision DenseNet-121 (Cohen et al. 2022), as it is published; D = 1024
    inception:WEIGHTS  Inception-v3 of the "FID" literature (Heusel et al. 2017): the TorchScript file of
                       NVIDIA's StyleGAN or the state dict of torch-fidelity; D = 2048
    rad-dino:DIR       Rad-DINO (Pérez-García et al. 2025), or any Dinov2 that transformers saved

Distances of different networks do not compare.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from operator import length_hint
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.common.pretrained import load_pretrained
from llmcxr.common.specs import Entry, find_opener, parse_spec
from llmcxr.common.terminal import progress
from vqgan.json_text import from_json

if TYPE_CHECKING:
    from torch import Tensor

INCEPTION_DIMENSION = 2048


class FeatureExtractor(Protocol):
    name: str  # as in `open_extractor`: it belongs beside every number made with it
    dimension: int  # D

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Embed (B, H, W) float32 in [0, 1], bright = dense -> (B, D) float32."""
        ...


class TorchExtractor:
    """Make a function on tensors, (B, 1, H, W) in [0, 1] -> (B, D), a FeatureExtractor."""

    def __init__(self, name: str, dimension: int, embed: Callable[[Tensor], Tensor]) -> None:
        self.name = name
        self.dimension = dimension
        self._embed = embed

    def __call__(self, images: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            pixels = torch.from_numpy(np.ascontiguousarray(images, np.float32))[:, None]  # (B, 1, H, W)
            features = self._embed(pixels).float().numpy()  # (B, D)
        if features.shape != (len(images), self.dimension):
            raise ValueError(
                f"{self.name}: expected features {(len(images), self.dimension)}, got {features.shape}"
            )
        return features


def open_extractor(name: str = "classifier") -> FeatureExtractor:
    """Open one of the networks above, on the CPU.

    Raises UserError for an unknown kind, a path that is not there, or a package that is not installed.
    """
    spec = parse_spec(name, has_keys=False)
    kind, place = spec.kind, spec.place
    if kind not in KINDS:
        raise UserError(f"unknown feature extractor {name!r}; choose {', '.join(KINDS)}, as KIND:PATH")
    if not place and kind != "classifier":
        raise UserError(f"the feature extractor {kind} needs the path of its weights: {kind}:PATH")
    if place and not Path(place).exists():
        raise UserError(f"{name}: expected weights at {place}, found nothing there")
    return TorchExtractor(name, *find_opener(KINDS[kind])(Path(place) if place else None))


def extract(
    extractor: FeatureExtractor, images: Iterable[np.ndarray], batch: int = 64, total: int | None = None
) -> np.ndarray:
    """Return (N, D) float32 of every image in order, with no more than `batch` images in memory.

    `images` are (H, W) float arrays in [0, 1] of one size; `total` is for the progress bar where they have
    no length. Raises UserError for images that give NaN features: the network is the user's.
    """
    features = []
    with progress(f"features: {extractor.name.partition(':')[0]}", total or length_hint(images)) as advance:
        for chunk in _batches(images, batch):
            features.append(extractor(np.stack(chunk)))
            if broken := np.flatnonzero(~np.isfinite(features[-1]).all(1)).tolist():
                first = sum(map(len, features[:-1])) + broken[0]
                raise UserError(
                    f"{extractor.name}: expected finite features, found {len(broken)} of a batch of "
                    f"{len(chunk)} images with NaN or infinite features, the first is image {first}; "
                    "check the network's weights"
                )
            advance(len(chunk))
    if not features:
        return np.zeros((0, extractor.dimension), np.float32)
    return np.concatenate(features)


def _batches(images: Iterable[np.ndarray], batch: int) -> Iterator[list[np.ndarray]]:
    chunk: list[np.ndarray] = []
    for image in images:
        chunk.append(image)
        if len(chunk) == batch:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _open_classifier(directory: Path | None) -> tuple[int, Callable]:
    from llmcxr.model.classifier import Classifier
    from llmcxr.model.judges import load_evaluator

    classifier = load_evaluator() if directory is None else Classifier.from_pretrained(directory)
    return classifier.config.hidden, classifier.embed


def _open_xrv(weights: Path) -> tuple[int, Callable]:
    from vqgan.foreign.densenet import DIMENSION, DenseNetFeatures

    return DIMENSION, DenseNetFeatures.from_weights(weights).embed


def _open_inception(weights: Path) -> tuple[int, Callable]:
    import torch

    if _is_torchscript(weights):
        net = torch.jit.load(weights, map_location="cpu").eval()
        return INCEPTION_DIMENSION, lambda images: net(_to_bytes(images), return_features=True)
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise UserError(
            f"{weights} is no TorchScript file; to read it as weights of torch-fidelity, which brings "
            f"torchvision, pip install llmcxr[features] ({error})"
        ) from error
    net = FeatureExtractorInceptionV3("inception", ["2048"], str(weights)).eval()
    return INCEPTION_DIMENSION, lambda images: net(_to_bytes(images))[0]


def _open_rad_dino(directory: Path) -> tuple[int, Callable]:
    import torch
    from transformers import AutoModel

    # read by hand: the image processors of transformers want torchvision
    file = directory / "preprocessor_config.json"
    if not file.is_file():
        raise UserError(f"{directory}: expected {file.name}, which holds the scale of the pixels; found none")
    try:
        settings = from_json(file.read_text(encoding="utf-8"))
        mean, spread = (torch.tensor(settings[key])[:, None, None] for key in ("image_mean", "image_std"))
        side = settings["crop_size"]["height"]
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise UserError(
            f"{file}: expected image_mean, image_std and crop_size, found another file; download it again"
        ) from error
    net = load_pretrained(AutoModel, directory, local_files_only=True).eval()

    def embed(images: Tensor) -> Tensor:
        pixels = (_resized(images, side).expand(-1, 3, -1, -1) - mean) / spread  # (B, 3, side, side)
        return net(pixel_values=pixels).last_hidden_state[:, 0]  # the class token, (B, D)

    return net.config.hidden_size, embed


# kind: what gives the dimension D and a function (B, 1, H, W) -> (B, D). A plug-in may add a kind.
KINDS: dict[str, Entry] = {
    "classifier": _open_classifier,
    "xrv": _open_xrv,
    "inception": _open_inception,
    "rad-dino": _open_rad_dino,
}


def _resized(images: Tensor, side: int) -> Tensor:
    """Resample (B, 1, H, W) -> (B, 1, side, side), averaging where it shrinks."""
    import torch.nn.functional as F

    if tuple(images.shape[-2:]) == (side, side):
        return images
    return F.interpolate(images, size=(side, side), mode="bilinear", antialias=True, align_corners=False)


def _to_bytes(images: Tensor) -> Tensor:
    """Convert (B, 1, H, W) in [0, 1] -> (B, 3, H, W) uint8, as Inception's own resizing wants it."""
    import torch

    return (images.clamp(0, 1) * 255).round().to(torch.uint8).expand(-1, 3, -1, -1)


def _is_torchscript(weights: Path) -> bool:
    """Tell a TorchScript archive, which holds code, from a state dict, which holds data alone."""
    if not zipfile.is_zipfile(weights):
        return False
    with zipfile.ZipFile(weights) as archive:
        return any("/code/" in name for name in archive.namelist())
