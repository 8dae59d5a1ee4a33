"""Open any dataset by one string, `KIND:PATH[,key=value...]`. Knows the kinds' names, not their formats."""

from __future__ import annotations

from llmcxr.common.errors import UserError
from llmcxr.common.files import telling_read_failures
from llmcxr.common.specs import (
    Entry,
    call_opener,
    find_opener,
    list_keys,
    name_as_today,
    parse_spec,
    takes_place,
)
from llmcxr.data.dataset import Dataset
from llmcxr.records import SPLIT_WORDS, SPLITS

# kind: what opens it. A kind that reads files takes its path first; the other parameters are the keys it
# knows, and their annotations say what a value must be. A plug-in may add a kind.
KINDS: dict[str, Entry] = {
    "phantom": ("llmcxr.data.phantom", "PhantomDataset"),
    "nih": ("llmcxr.data.nih", "open_nih"),
    "openi": ("llmcxr.data.openi", "open_openi"),
    "csv": ("llmcxr.data.csv", "open_csv"),
    "dicom": ("llmcxr.data.dicom_folder", "open_dicom_folder"),
}
FORM = "KIND:PATH[,key=value...]"


def open_dataset(name: str) -> Dataset:
    """Open a dataset such as `phantom:n=4000,seed=0`, `nih:DIR,split=train` or `csv:FILE.csv`.

    Raises UserError naming an unknown kind or key, a value of the wrong type, or what the files lack.
    """
    kind, spec = find_kind(name), parse_spec(name)
    if kind not in KINDS:
        raise UserError(
            f"{name}: expected a dataset as {FORM} with KIND one of {', '.join(KINDS)}, "
            f"found {kind!r}; correct it"
        )
    opener = find_opener(KINDS[kind])
    has_path, keys = takes_place(opener), list_keys(opener)
    if spec.place and not has_path:
        raise UserError(f"{name}: expected only key=value after {kind}:, found {spec.place!r}; correct it")
    if has_path and not spec.place:
        raise UserError(f"{name}: expected {kind}:PATH, found no path; name the files' place")
    if unknown := [key for key in spec.settings if key not in keys]:
        raise UserError(
            f"{name}: expected a key of {kind} ({', '.join(keys)}), found {unknown[0]!r}; correct it"
        )
    if "split" in spec.settings:
        split = spec.settings["split"].strip()
        if split.lower() not in SPLIT_WORDS:
            raise UserError(f"{name}: expected split={'|'.join(SPLITS)}, found split={split}; correct it")
        spec.settings["split"] = SPLIT_WORDS[split.lower()]
    with telling_read_failures(name):
        dataset = call_opener(opener, spec)
    dataset.name, dataset.kind = name, kind
    return dataset


def skip_bad_rows(name: str) -> str:
    """Let an opening string leave malformed rows out, where its kind reads a table and it does not say."""
    kind = find_kind(name)
    has_key = kind in KINDS and "skip_bad" in list_keys(find_opener(KINDS[kind]))
    return f"{name},skip_bad=yes" if has_key and "skip_bad" not in parse_spec(name).settings else name


def find_kind(name: str) -> str:
    """Find the kind that an opening string names, whether or not there is one of that name."""
    return parse_spec(name_as_today(name)).kind
