"""Read and write the settings of a run: YAML and key=value overrides into a checked dataclass, and back.

Knows nothing of what the settings mean: the caller says which dataclass belongs to which `kind`, and what
values may stand together is checked by the dataclasses (`__post_init__` raising ValueError).
"""

from __future__ import annotations

import copy
import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from llmcxr.common.errors import UserError
from llmcxr.common.files import replacing, telling_read_failures
from llmcxr.common.listing import list_first
from llmcxr.common.specs import name_as_today
from vqgan.old_names import OLD_NAMES
from vqgan.ranges import check_numbers

CONFIG_FILE = "config.yaml"  # in a run directory
HEADER = "# Written by a run, with the settings it has.\n"
DATASETS = ("dataset", "validation")  # settings that are opening strings
EXAMPLES = {"dataset": "csv:FILE.csv,split=train", "validation": "csv:FILE.csv,split=validate"}
PLACES = ("run_dir", "cache_dir", "threads", "device")  # where a run is, not what it is of
NUM_KNOWN_SHOWN = 40  # keys listed in a message before it is cut


def _as_share_of_side(pixels: float, settings: Mapping[str, Any]) -> float:
    return pixels / _get(settings, "model.image_size", 128)


def _beside_contrast(brightness: float, settings: Mapping[str, Any]) -> float:
    """Return what is left of it where a change of contrast brings a third of its own strength."""
    return max(0.0, brightness - _get(settings, "augmentation.contrast", 0.2) / 3)


# kind of run: {dotted key as older files have it: the key of today, where its value means something else with
# a function of the old value and of the file's settings}. The one place that knows old names.
OLD_KEYS: dict[str, dict[str, str | tuple[str, Callable[[Any, Mapping[str, Any]], Any]]]] = {
    "tokenizer": {"teacher": "loss_network"}
    | {f"training.model.{old}": f"training.model.{new}" for old, new in OLD_NAMES.items()},
    "lm": {
        "training.save_every": "training.checkpoint_every",
        "encoding.codings": "encoding.augmentations",
        "examples.hiding_share": "examples.code_mask_share",
        "layout": "finding_map",
        "model.deepen_to": "model.expand_depth_to",
        "model.has_cell_words": "model.has_cell_tokens",
    },
    "classifier": {
        "num_steps": "training.steps",
        "batch_size": "training.batch_size",
        "learning_rate": "training.learning_rate",
        "weight_decay": "training.weight_decay",
        "warmup_steps": "training.warmup_steps",
        "validate_every": "training.validate_every",
        "max_minutes": "training.max_minutes",
        "augmentation.gamma": ("training.augmentation.gamma", lambda value, _: math.expm1(value)),
        "augmentation.contrast": "training.augmentation.contrast",
        "augmentation.brightness": ("training.augmentation.brightness", _beside_contrast),
        "augmentation.noise": "training.augmentation.noise",
        "augmentation.blur": ("training.augmentation.blur", _as_share_of_side),
        "augmentation.shift": ("training.augmentation.shift", _as_share_of_side),
        "augmentation.zoom": "training.augmentation.zoom",
        "augmentation.rotation": "training.augmentation.rotation",
    },
}


def load(
    path: str | Path, overrides: Sequence[str] = (), *, kinds: Mapping[str, type | Callable[[], type]]
) -> Any:
    """Load the run that a YAML file and `key=value` overrides describe, as an instance of its dataclass.

    The file's `kind` picks the dataclass from `kinds`, whose values are dataclasses or functions giving one
    (so that a heavy module is imported only where it is asked for). Overrides reach into nested settings with
    dots ("model.num_layers=4") and are applied after the file, the last one winning; "${other.key}" refers to
    another setting. Raises UserError for a missing or malformed file, an unknown key, a wrong type, a missing
    setting, or a combination that the dataclass refuses.
    """
    path = Path(path)
    with telling_read_failures(path):
        settings = _read_yaml(path)
    settings.update(_kind_override(overrides))
    schema = _schema(settings, path, kinds)
    old_keys = OLD_KEYS.get(settings["kind"], {})
    before = copy.deepcopy(settings)
    _rename_keys(settings, old_keys, before)
    overrides = [_rename_override(override, old_keys, before) for override in overrides]
    if "kind" not in typing.get_type_hints(schema):
        del settings["kind"]
        overrides = [override for override in overrides if not override.startswith("kind=")]
    return _build(schema, settings, overrides, path)


def save(config: Any, path: str | Path) -> None:
    """Write a run's dataclass as YAML that `load` reads back to an equal one.

    Raises UserError where a file is that a user wrote and that says something else.
    """
    from omegaconf import OmegaConf

    path = Path(path)
    if path.is_file() and not _is_of_a_run(path):
        if load(path, kinds={config.kind: type(config)}) == config:
            return
        raise UserError(
            f"{path}: expected the settings that a run wrote, or none, found those of a user, which would be "
            "lost; move the file, or choose another run_dir"
        )
    with replacing(path) as beside:
        beside.write_text(HEADER + OmegaConf.to_yaml(OmegaConf.structured(config)), encoding="utf-8")


def _is_of_a_run(file: Path) -> bool:
    """Tell whether a run wrote a file of settings: since some time with a header, and beside what it did."""
    has_header = file.read_text(encoding="utf-8", errors="replace").startswith(HEADER)
    return has_header or (file.parent / "checkpoints").is_dir()


def check_resumable(config: Any, may_change: Collection[str] = ()) -> None:
    """Check that a run in `config.run_dir` has the settings of `config`, so that it can be resumed; what does
    not change the curve, and `may_change`, may differ.

    Raises UserError naming the first setting that differs, and for a run that an older version began.
    """
    from vqgan.training.loop import MAY_CHANGE
    from vqgan.training.run_directory import RunDirectory, check_resumable

    file = Path(config.run_dir) / CONFIG_FILE
    if RunDirectory(config.run_dir).last_step() is not None and file.is_file():
        try:
            before = load(file, kinds={config.kind: type(config)})
        except UserError as error:
            raise UserError(
                f"{error}; these are the settings of the run to be resumed: restore the file, or remove it "
                "to resume with those that are given now"
            ) from error
        free = {*PLACES, *(f"training.{name}" for name in MAY_CHANGE), *may_change}
        check_resumable(file, _as_today(before), _as_today(config), free, {})
        RunDirectory(config.run_dir).check_steps(config.training.steps)


def _as_today(config: Any) -> dict[str, Any]:
    """The settings of a run, its datasets by the names that their kinds have today."""
    settings = to_dict(config)
    return settings | {name: name_as_today(settings[name]) for name in DATASETS if name in settings}


def to_dict(config: Any) -> dict[str, Any]:
    """Turn a run's dataclass into plain dictionaries, lists and numbers, for JSON."""
    from omegaconf import OmegaConf

    return OmegaConf.to_container(OmegaConf.structured(config), resolve=True, enum_to_str=True)


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml
    from omegaconf import OmegaConf

    try:
        settings = OmegaConf.load(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such configuration file{_neighbours(path)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a configuration ({type(error).__name__})") from error
    except AssertionError:  # of omegaconf, where the file holds one plain value such as a date
        raise UserError(f"{path}: expected `key: value` lines, found one plain value") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: is not YAML: {error}") from error
    if not OmegaConf.is_dict(settings):
        raise UserError(
            f"{path}: expected `key: value` lines, found {type(OmegaConf.to_container(settings)).__name__}"
        )
    return OmegaConf.to_container(settings, resolve=False)


def _neighbours(path: Path) -> str:
    names = sorted(other.name for other in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
    return f"; {path.parent} has {', '.join(names)}" if names else ""


def _rename_keys(settings: dict[str, Any], names: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Move what stands under an old dotted key to the new one, in place; a new key that is there stays.

    `before` are the settings as they were.
    """
    for old in names:
        *groups, last = old.split(".")
        holder = _get(settings, ".".join(groups), None) if groups else settings
        if not isinstance(holder, dict) or last not in holder:
            continue
        new, value = _renamed(old, holder.pop(last), names, before)
        if groups and not holder and not new.startswith(".".join([*groups, ""])):
            del settings[groups[0]]
        *groups, last = new.split(".")
        holder = settings
        for group in groups:
            holder = holder.setdefault(group, {})
        holder.setdefault(last, value)


def _renamed(key: str, value: Any, names: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[str, Any]:
    """Translate an old key and its value into those of today. What is no number is left, to be refused as
    such.
    """
    new = names.get(key, key)
    if isinstance(new, str):
        return new, value
    new, convert = new
    return new, convert(value, before) if isinstance(value, int | float) else value


def _rename_override(override: str, names: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    key, equals, value = override.partition("=")
    if group := next((old for old in names if key.startswith(f"{old}.")), None):
        return names[group] + override.removeprefix(group)
    with suppress(ValueError):
        value = float(value) if isinstance(names.get(key), tuple) else value
    new, value = _renamed(key, value, names, before)
    return f"{new}{equals}{value}"


def _get(settings: Mapping[str, Any], dotted: str, default: Any) -> Any:
    for name in dotted.split("."):
        settings = settings.get(name, default) if isinstance(settings, Mapping) else default
    return settings


def _kind_override(overrides: Sequence[str]) -> dict[str, str]:
    chosen = [override.partition("=")[2] for override in overrides if override.startswith("kind=")]
    return {"kind": chosen[-1]} if chosen else {}


def _schema(settings: dict[str, Any], path: Path, kinds: Mapping[str, type | Callable[[], type]]) -> type:
    kind = settings.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        found = "none" if kind is None else repr(kind)
        raise UserError(f"{path}: `kind` must be one of {', '.join(sorted(kinds))}; found {found}")
    chosen = kinds[kind]
    return chosen if dataclasses.is_dataclass(chosen) else chosen()


def _build(schema: type, settings: dict[str, Any], overrides: Sequence[str], path: Path) -> Any:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    merged = OmegaConf.structured(schema)
    for key, value in settings.items():
        merged = _merge(merged, {key: value}, schema, key, f"{path}")
    for override in overrides:
        key, equals, _ = override.partition("=")
        if not (equals and key.strip()):
            raise UserError(f"override {override!r}: expected key=value, such as seed=1")
        merged = _merge(merged, _parse_override(override), schema, key, f"override {override!r} of {path}")
    try:
        if not (missing := sorted(OmegaConf.missing_keys(merged))):
            config = OmegaConf.to_object(merged)
            check_numbers(config)
            return config
    except OmegaConfBaseException as error:
        raise UserError(f"{path}: {_first_line(error)}") from error
    except (ValueError, TypeError, ArithmeticError) as error:
        raise UserError(f"{path}: {error}") from error
    raise UserError(f"{path}: {_say_missing(missing)}")


def _say_missing(names: Sequence[str]) -> str:
    examples = [f"{name}={EXAMPLES[name]}" for name in names if name in EXAMPLES]
    shown = f"; such as {' '.join(examples)}" if examples else ""
    return f"these settings have no default and must be given: {', '.join(names)}{shown}"


def _parse_override(override: str):
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        return OmegaConf.from_dotlist([override])
    except (YAMLError, OmegaConfBaseException, UnicodeEncodeError) as error:  # the last of lone surrogates
        raise UserError(f"override {override!r}: its value is not YAML: {_first_line(error)}") from error


def _merge(merged, addition, schema: type, key: str, source: str):
    from omegaconf import OmegaConf
    from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

    try:
        merged = OmegaConf.merge(merged, addition)
        _take_defaults(merged, OmegaConf.create(addition))
        return merged
    except (ConfigKeyError, ConfigAttributeError) as error:
        raise UserError(f"{source}: {_unknown_key(schema, error.full_key or key)}") from error
    except OmegaConfBaseException as error:
        raise UserError(f"{source}: {_wrong_type(schema, error.full_key or key, addition)}") from error


def _take_defaults(merged, addition) -> None:
    """Make what is "???" in the addition a setting that must be given: a merge would leave its default."""
    from omegaconf import OmegaConf, read_write

    for name in addition:
        if OmegaConf.is_missing(addition, name):
            with read_write(merged):
                merged[name] = "???"
        elif OmegaConf.is_dict(merged) and OmegaConf.is_dict(addition._get_node(name)):
            _take_defaults(merged[name], addition[name])


def _unknown_key(schema: type, full_key: str) -> str:
    parent, _, name = full_key.rpartition(".")
    known = sorted(_fields_of(_type_at(schema, parent)))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    shown = list_first(known, NUM_KNOWN_SHOWN)
    where = f"`{parent}`" if parent else "the run"
    return f"unknown key `{full_key}`.{hint} Known in {where}: {shown}"


def _wrong_type(schema: type, full_key: str, addition) -> str:
    from omegaconf import OmegaConf

    value = OmegaConf.select(OmegaConf.create(addition), full_key)
    found = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    return f"`{full_key}` must be {_type_name(_type_at(schema, full_key))}, found {found!r}"


def _type_at(schema: Any, dotted: str) -> Any:
    """Return the annotation of a nested setting; None where the path leaves the dataclasses."""
    for name in filter(None, dotted.split(".")):
        schema = _fields_of(schema).get(name.partition("[")[0])
    return schema


def _fields_of(annotation: Any) -> dict[str, Any]:
    """Name -> annotation of a dataclass, also behind `| None`; empty for anything else."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        annotation = next(
            (part for part in typing.get_args(annotation) if dataclasses.is_dataclass(part)), None
        )
    if not dataclasses.is_dataclass(annotation):
        return {}
    hints = typing.get_type_hints(annotation)
    return {field.name: hints[field.name] for field in dataclasses.fields(annotation)}


def _type_name(annotation: Any) -> str:
    if annotation is None:
        return "of another type"
    if fields := _fields_of(annotation):
        return f"a group of settings ({', '.join(sorted(fields))})"
    return (
        annotation.__name__
        if isinstance(annotation, type) and not typing.get_args(annotation)
        else str(annotation)
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
