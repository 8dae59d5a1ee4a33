"""Choose which image tokenizer to build: the size of the images and of their cells, an architecture, a
quantizer. Knows no weights.

Each architecture and each quantizer has its settings in a group of its own. Only the groups that a tokenizer
uses are written to its config.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, make_dataclass
from functools import cache
from typing import Any

from vqgan.errors import UserError
from vqgan.foreign.taming.networks import TamingConfig
from vqgan.layers import CXRConfig
from vqgan.old_names import from_old_names, to_old_names
from vqgan.quantizers import QUANTIZERS
from vqgan.ranges import check_between

ARCHITECTURES = {"cxr": CXRConfig, "taming": TamingConfig}
FIRST_CHOICE = {"architecture": "cxr", "quantizer": "fsq"}  # all there was once, so it goes without saying
SIZES = ("image_size", "cell_height", "cell_width")


def _quantizer_group(name: str) -> str:
    return f"{name}_codebook" if name in ARCHITECTURES else name


def _groups() -> dict[str, type]:
    """Return the groups of settings and the dataclass of each."""
    quantizers = {_quantizer_group(name): settings for name, (_, settings) in QUANTIZERS.items()}
    return ARCHITECTURES | quantizers


def _with_groups(cls: type) -> type:
    """Give a class a field for each group."""
    for name, settings in _groups().items():
        cls.__annotations__[name] = settings
        setattr(cls, name, field(default_factory=settings))
    return cls


LARGEST_SIDE = 16384  # pixels, above any detector's


@dataclass(frozen=True)
@_with_groups
class VQGANConfig:
    """Describes a tokenizer of images of `image_size` px square in cells of `cell_height` x `cell_width`
    pixels, one code per cell.

    Beside the fields below there is one for each architecture (`cxr`, `taming`) and quantizer (`fsq`, `vq`,
    `simvq`, `taming_codebook`) with its settings. Raises UserError naming both sides where two settings
    cannot stand together, and where one is set that the chosen architecture or quantizer does not use.
    """

    image_size: int = 128
    cell_height: int = 8  # ribs run across: rows need finer cells than columns
    cell_width: int = 16
    architecture: str = "cxr"  # or "taming", which has square cells
    quantizer: str = "fsq"  # or "vq", "simvq", "taming", and any other in vqgan.quantizers.QUANTIZERS

    def __post_init__(self) -> None:
        _check_choices({name: getattr(self, name) for name in FIRST_CHOICE})
        self._refuse_unused()
        check_between("image_size", self.image_size, 1, LARGEST_SIDE)
        for name in ("cell_height", "cell_width"):
            cell = getattr(self, name)
            if cell < 1 or self.image_size % cell:
                raise UserError(f"{name} {cell} does not divide image_size {self.image_size}")
        self.architecture_settings.check_cells(self.cell_height, self.cell_width)

    def _refuse_unused(self) -> None:
        used = self._used()
        for name, settings in _groups().items():
            if name not in used and getattr(self, name, settings()) != settings():
                raise UserError(
                    f"{name} is set, but architecture {self.architecture} with quantizer "
                    f"{self.quantizer} does not use it; it uses {', '.join(used)}"
                )

    def _used(self) -> list[str]:
        return _names_used(self.architecture, self.quantizer)

    @property
    def architecture_settings(self) -> CXRConfig | TamingConfig:
        return getattr(self, self.architecture)

    @property
    def quantizer_settings(self) -> Any:
        """Return the chosen quantizer's settings; its defaults where it was registered after this class."""
        group = _quantizer_group(self.quantizer)
        return getattr(self, group) if hasattr(self, group) else QUANTIZERS[self.quantizer][1]()

    def to_dict(self) -> dict[str, Any]:
        """Return the settings in use, for JSON."""
        values = asdict(self) | {_quantizer_group(self.quantizer): asdict(self.quantizer_settings)}
        return {name: values[name] for name in self._used()}

    def to_fingerprint(self) -> dict[str, Any]:
        """Return the settings in use as the first files named them, which left the first choices out."""
        values = to_old_names(self.to_dict())
        return {name: value for name, value in values.items() if FIRST_CHOICE.get(name) != value}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> VQGANConfig:
        """Invert `to_dict`, also for files of old. Raises UserError where a setting is missing or unknown."""
        built = FIRST_CHOICE | from_old_names(values)
        _check_choices(built)
        _check_keys("config keys", _names_used(built["architecture"], built["quantizer"]), built)
        for name, settings in _groups().items():
            if name in built:
                _check_keys(f"{name} keys", [part.name for part in fields(settings)], built[name])
                built[name] = settings(**built[name])
        return config_class()(**built)

    @property
    def grid(self) -> tuple[int, int]:
        """Return rows and columns of codes."""
        return self.image_size // self.cell_height, self.image_size // self.cell_width

    @property
    def codebook_size(self) -> int:
        return self.quantizer_settings.codebook_size


def config_class() -> type[VQGANConfig]:
    """Return VQGANConfig, or a subclass with the groups of quantizers registered since it was made."""
    own = {each.name for each in fields(VQGANConfig)}
    return _extend(tuple((name, settings) for name, settings in _groups().items() if name not in own))


@cache
def _extend(groups: tuple[tuple[str, type], ...]) -> type[VQGANConfig]:
    if not groups:
        return VQGANConfig
    added = [(name, settings, field(default_factory=settings)) for name, settings in groups]
    return make_dataclass("VQGANConfig", added, bases=(VQGANConfig,), frozen=True)


def differing_settings(first: VQGANConfig, second: VQGANConfig) -> list[tuple[str, Any, Any]]:
    """List (name, first value, second value) where they differ: ("vq.codebook_size", 1024, 4096)."""
    ours, theirs = flatten(asdict(first)), flatten(asdict(second))
    names = ours | theirs
    return [(name, ours.get(name), theirs.get(name)) for name in names if ours.get(name) != theirs.get(name)]


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings by their path: "vq.codebook_size"."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{part}": inner for part, inner in flatten(value).items()}
        else:
            flat[name] = value
    return flat


def _check_choices(chosen: Mapping[str, Any]) -> None:
    for choice, options in (("architecture", ARCHITECTURES), ("quantizer", QUANTIZERS)):
        if not isinstance(chosen[choice], str) or chosen[choice] not in options:
            raise UserError(f"expected {choice} to be one of {', '.join(options)}, found {chosen[choice]!r}")


def _names_used(architecture: str, quantizer: str) -> list[str]:
    return [*SIZES, *FIRST_CHOICE, architecture, _quantizer_group(quantizer)]


def _check_keys(what: str, expected: list[str], found: Mapping[str, Any]) -> None:
    if set(found) != set(expected):
        raise UserError(f"expected {what} {sorted(expected)}, found {sorted(found)}")
