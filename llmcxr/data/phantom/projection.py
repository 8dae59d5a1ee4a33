"""Project a phantom by Beer-Lambert's law and print it as a radiograph is displayed: bright = dense.

attenuation -> exp(-attenuation) -> scattered light added -> exposure -> logarithm -> display curve -> noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llmcxr.data.phantom.anatomy import build_anatomy
from llmcxr.data.phantom.case import PhantomCase
from llmcxr.data.phantom.findings import apply_findings
from llmcxr.data.phantom.parts import Chest, build_grid

# Effective linear attenuation per cm at about 120 kV, bone and metal as the excess over soft tissue.
SOFT, LUNG, BONE, BLOOD = 0.172, 0.04, 0.27, 0.16
SCATTER_SHARE = 0.35  # scattered by primary light, after the grid
NOISE = 0.006  # standard deviation at 128 px on the display scale, where everything varies in full


def render(cases: Sequence[PhantomCase], size: int) -> np.ndarray:
    """Draw the cases: (N, size, size) float32 in [0, 1], bright = dense. Each by its case alone."""
    images = np.empty((len(cases), size, size), dtype=np.float32)
    for image, case in zip(images, cases, strict=True):
        image[:] = render_chest(build_chest(case, size))
    return images


def build_chest(case: PhantomCase, size: int) -> Chest:
    """Build the chest of a case on the pixels of a (size, size) picture. Raises ValueError below 16 px."""
    if size < 16:
        raise ValueError(f"expected a size of at least 16 px, got {size}")
    anatomy = build_anatomy(case)
    return Chest(anatomy, build_grid(anatomy, size))


def render_chest(chest: Chest) -> np.ndarray:
    """Draw one chest, (size, size) float32 in [0, 1]."""
    rng = np.random.default_rng(np.random.SeedSequence((*chest.anatomy.seed, 2)))
    variation = chest.anatomy.case.variation
    exposure, contrast = variation * rng.uniform(-0.18, 0.18), 1 + variation * rng.uniform(-0.05, 0.06)
    return _display(_expose(attenuation(chest)), chest, exposure, contrast, rng)


def attenuation(chest: Chest) -> np.ndarray:
    """Return the line integral of the attenuation coefficient, findings included; (size, size), no unit."""
    soft = chest.body + chest.breasts - chest.trachea - chest.stomach
    normal = SOFT * np.maximum(soft - chest.air, 0) + LUNG * chest.air
    normal += BONE * (chest.spine + chest.ribs + chest.clavicles + chest.scapulae) + 0.07 * chest.aorta
    return apply_findings(chest, normal, BLOOD * chest.vessels).astype(np.float32)


def _expose(attenuation: np.ndarray) -> np.ndarray:
    primary = np.exp(-attenuation)
    return -np.log(primary + SCATTER_SHARE * _blur(np.minimum(primary, 0.25)) + 0.004)


def _display(density: np.ndarray, chest: Chest, exposure: float, contrast: float, rng) -> np.ndarray:
    x = (density - 0.84 - 0.09 * (chest.anatomy.thickness_cm - 21.5) - exposure) / (2.92 * contrast)
    x = np.clip(x, 0, None)
    shown = 0.03 + 0.94 * np.tanh(1.1 * x**1.15) / np.tanh(1.1)
    size, noise = chest.grid.size, NOISE * chest.anatomy.case.variation
    shown = shown + noise * np.sqrt(size / 128) * rng.standard_normal((size, size), dtype=np.float32)
    return np.clip(shown, 0, 1).astype(np.float32)


def _blur(image: np.ndarray, cells: int = 16) -> np.ndarray:
    """Blur by a veil an eighth of the picture wide: averaged to cells, smoothed, enlarged bilinearly."""
    size = image.shape[0]
    down, up = _matrices(size, cells)
    return up @ (down @ image @ down.T) @ up.T


_CACHE: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}


def _matrices(size: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Build row operators: (cells, size) Gaussian averages and (size, cells) linear interpolation."""
    if (size, cells) not in _CACHE:
        at = (np.arange(size) + 0.5) / size
        centres = (np.arange(cells) + 0.5) / cells
        down = np.exp(-0.5 * ((centres[:, None] - at[None, :]) / 0.075) ** 2)
        down /= down.sum(axis=1, keepdims=True)
        up = np.maximum(0, 1 - np.abs(at[:, None] - centres[None, :]) * cells)
        up /= up.sum(axis=1, keepdims=True)
        _CACHE[size, cells] = down.astype(np.float32), up.astype(np.float32)
    return _CACHE[size, cells]
