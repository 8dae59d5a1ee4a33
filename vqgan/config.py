"""Which image tokenizer to build: the size of the images and of their cells, an architecture, a quantizer.
Knows no weights.

Only the settings that a tokenizer uses are written to its config.json. So a file from before there was a
choice means `cxr` with `fsq`, and its fingerprint stays what it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from vqgan.errors import UserError
from vqgan.foreign.taming.networks import TamingConfig
from vqgan.layers import NetworkShape, Stride
from vqgan.quantizers.simvq import SimVQConfig
from vqgan.quantizers.taming import TamingCodebookConfig
from vqgan.quantizers.vq import VQConfig

# The settings that each choice uses, beside image_size, cell_height and cell_width.
ARCHITECTURES = {
    "cxr": (
        "patch",
        "stem_channels",
        "grid_channels",
        "level_blocks",
        "grid_blocks",
        "num_heads",
        "refine_channels",
    ),
    "taming": ("taming",),
}
QUANTIZERS = {
    "fsq": ("levels",),
    "vq": ("vq",),
    "simvq": ("simvq",),
    "taming": ("taming_codebook",),
}
CHOICES = {"architecture": ARCHITECTURES, "quantizer": QUANTIZERS}
FIRST_CHOICE = {"architecture": "cxr", "quantizer": "fsq"}  # all there was once, so it goes without saying


@dataclass(frozen=True)
class VQGANConfig:
    """Images of `image_size` px square in cells of `cell_height` x `cell_width` pixels, one code per cell.

    Raises UserError naming both sides where two settings cannot stand together, and where one is set that
    the chosen architecture or quantizer does not use.
    """

    image_size: int = 128
    cell_height: int = 8  # ribs run across: rows need finer cells than columns
    cell_width: int = 16
    levels: tuple[int, ...] = (8, 5, 5, 5)  # FSQ levels; codebook_size is their product
    patch: int = 4  # side of the square of pixels that the stem folds into channels
    stem_channels: int = 32  # channels at the stem's resolution; they grow geometrically to grid_channels
    grid_channels: int = 96
    level_blocks: int = 1  # residual blocks at each resolution above the grid's
    grid_blocks: int = 2
    num_heads: int = 4
    refine_channels: int = 4  # full-resolution channels before the last convolution
    architecture: str = "cxr"  # or "taming", which is set in `taming` and has square cells
    quantizer: str = "fsq"  # of `levels`; or "vq", "simvq", "taming", set in `vq`, `simvq`, `taming_codebook`
    taming: TamingConfig = field(default_factory=TamingConfig)
    vq: VQConfig = field(default_factory=VQConfig)
    simvq: SimVQConfig = field(default_factory=SimVQConfig)
    taming_codebook: TamingCodebookConfig = field(default_factory=TamingCodebookConfig)

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(self.levels))
        for choice, options in CHOICES.items():
            if getattr(self, choice) not in options:
                raise UserError(
                    f"{choice} must be one of {', '.join(options)}, got {getattr(self, choice)!r}"
                )
        self._refuse_unused()
        self._check_at_least_1("image_size")
        for name in ("cell_height", "cell_width"):
            cell = getattr(self, name)
            if cell < 1 or self.image_size % cell:
                raise UserError(f"{name} {cell} does not divide image_size {self.image_size}")
        if self.architecture == "cxr":
            self._check_cxr()
        else:
            self.taming.check_cells(self.cell_height, self.cell_width)

    def _refuse_unused(self) -> None:
        used = self._used()
        for each in fields(self):
            default = each.default_factory() if callable(each.default_factory) else each.default
            if each.name not in used and getattr(self, each.name) != default:
                raise UserError(
                    f"{each.name} is set, but architecture {self.architecture} with quantizer "
                    f"{self.quantizer} does not use it; it uses {', '.join(used)}"
                )

    def _check_at_least_1(self, *names: str) -> None:
        for name in names:
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, got {getattr(self, name)}")

    def _check_cxr(self) -> None:
        self._check_at_least_1("patch", "grid_blocks", "refine_channels", "num_heads")
        for name in ("cell_height", "cell_width"):
            ratio = getattr(self, name) / self.patch
            if ratio < 1 or not math.log2(ratio).is_integer():
                raise UserError(
                    f"{name} {getattr(self, name)} must be patch {self.patch} times a power of two"
                )
        for name in ("stem_channels", "grid_channels"):
            if getattr(self, name) < 8 or getattr(self, name) % 8:
                raise UserError(f"{name} must be a multiple of 8, got {getattr(self, name)}")

    def _used(self) -> list[str]:
        return _names_used(self.architecture, self.quantizer)

    def to_dict(self) -> dict[str, Any]:
        """The settings in use, for JSON; the first choices go without saying."""
        values = asdict(self)
        return {name: values[name] for name in self._used() if values[name] != FIRST_CHOICE.get(name)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> VQGANConfig:
        """The inverse of `to_dict`. Raises UserError where a setting is missing or unknown."""
        chosen = {name: values.get(name, first) for name, first in FIRST_CHOICE.items()}
        for choice, options in CHOICES.items():
            if chosen[choice] not in options:
                raise UserError(f"expected {choice} to be one of {sorted(options)}, found {chosen[choice]!r}")
        _check_keys("config keys", _names_used(**chosen), chosen | dict(values))
        built = dict(values)
        for each in fields(cls):
            if each.name in built and isinstance(built[each.name], Mapping):
                _check_keys(
                    f"{each.name} keys",
                    [part.name for part in fields(each.default_factory)],
                    built[each.name],
                )
                built[each.name] = each.default_factory(**built[each.name])
        return cls(**built)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of codes."""
        return self.image_size // self.cell_height, self.image_size // self.cell_width

    @property
    def codebook_size(self) -> int:
        if self.quantizer == "fsq":
            return math.prod(self.levels)
        (settings,) = QUANTIZERS[self.quantizer]
        return getattr(self, settings).codebook_size

    @property
    def strides(self) -> list[Stride]:
        """The steps from the stem's resolution to the grid's, e.g. (2, 2), (1, 2) for cells of 8 x 16 px."""
        rows = int(math.log2(self.cell_height // self.patch))
        columns = int(math.log2(self.cell_width // self.patch))
        return [(2 if step < rows else 1, 2 if step < columns else 1) for step in range(max(rows, columns))]

    @property
    def channels(self) -> list[int]:
        """Channels of each level from stem to grid, multiples of 8."""
        if not self.strides:
            return [self.grid_channels]
        growth = (self.grid_channels / self.stem_channels) ** (1 / len(self.strides))
        return [8 * round(self.stem_channels * growth**level / 8) for level in range(len(self.strides) + 1)]

    def cxr_shape(self, codebook_dim: int) -> NetworkShape:
        """What the `cxr` encoder and decoder are built from."""
        return NetworkShape(
            patch=self.patch,
            channels=tuple(self.channels),
            strides=tuple(self.strides),
            level_blocks=self.level_blocks,
            grid_blocks=self.grid_blocks,
            grid=self.grid,
            num_heads=self.num_heads,
            codebook_dim=codebook_dim,
            refine_channels=self.refine_channels,
        )


def differing_settings(first: VQGANConfig, second: VQGANConfig) -> list[tuple[str, Any, Any]]:
    """(name, value in the first, value in the second) where they differ: ("vq.codebook_size", 1024, 4096)."""
    pairs = zip(_flatten(asdict(first)).items(), _flatten(asdict(second)).values(), strict=True)
    return [(name, ours, theirs) for (name, ours), theirs in pairs if ours != theirs]


def _flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{part}": inner for part, inner in value.items()}
        else:
            flat[name] = value
    return flat


def _names_used(architecture: str, quantizer: str) -> list[str]:
    sizes = ("image_size", "cell_height", "cell_width")
    return [*sizes, *CHOICES, *ARCHITECTURES[architecture], *QUANTIZERS[quantizer]]


def _check_keys(what: str, expected: list[str], found: Mapping[str, Any]) -> None:
    if set(found) != set(expected):
        raise UserError(f"expected {what} {sorted(expected)}, found {sorted(found)}")
