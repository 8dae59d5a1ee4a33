"""Read DICOM look-up tables: modality, VOI and palette (PS3.3 C.11.1.1, C.11.2.1.1, C.7.6.3.1.5).

pydicom's own lookup finds 8-bit entries at 8-bit places, and refuses tables shorter or longer than they say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from llmcxr.images.dicom.elements import get_values

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset

MOST_ENTRIES = 2**16
MOST_LACKING = 0.01  # of the entries: some tables are counted one too long


@dataclass(frozen=True)
class LookupTable:
    """Maps whole numbers: `first` and what lies below to the first entry, and so on, the rest to the last."""

    entries: np.ndarray  # (entries,) of 0 to 65535
    first: int

    def look_up(self, values: np.ndarray) -> np.ndarray:
        """Map numbers of any shape, rounded to whole ones, to entries."""
        last = self.first + len(self.entries) - 1
        values = np.rint(np.asarray(values, np.float64))  # of 8-bit values, rint makes 16-bit floats
        places = np.clip(values, self.first, last) - self.first
        return self.entries[places.astype(np.int64)]

    def to_brightness(self, values: np.ndarray) -> np.ndarray:
        """Map numbers to [0, 1]: entries by the bits that they fill, as files say more than they use."""
        return self.look_up(values) / (2 ** int(self.entries.max()).bit_length() - 1)


def read_lookup_table(
    dataset: DicomDataset, values: np.ndarray, is_big_endian: bool = False, name: str = "LUT"
) -> LookupTable | None:
    """Read a table for these values from its descriptor (entries, first value mapped, bits) and its data;
    None where either is missing or cannot be used, no entry is above 0 or below another, or the data end
    before entries that the values have.

    The first value mapped is signed where the values are, or where all lie below it otherwise.
    """
    described = _read_words(dataset, f"{name}Descriptor", is_big_endian)[0]
    if len(described) != 3:
        return None
    length, first, bits = (int(word) for word in described)
    length = length or MOST_ENTRIES  # 0 stands for 65536, which 16 bits do not hold
    if first >= MOST_ENTRIES // 2 and (values.min() < 0 or values.max() < first):
        first -= MOST_ENTRIES
    words, odd = _read_words(dataset, f"{name}Data", is_big_endian)
    if bits <= 8 and len(words) <= (length + 1) // 2 and words.max(initial=0) > 0xFF:
        words = np.stack([words & 0xFF, words >> 8], axis=1).ravel()  # two a word, the lower bits first
        words = np.append(words, np.frombuffer(odd, np.uint8))
    entries = words[:length].astype(np.int64)
    if entries.size == 0 or entries.min() == entries.max():
        return None
    highest = min(values.max() - first, length - 1)
    if highest > len(entries) - 1 + MOST_LACKING * length:
        return None
    return LookupTable(entries, first)


def _read_words(dataset: DicomDataset, keyword: str, is_big_endian: bool) -> tuple[np.ndarray, bytes]:
    """Read an element's values, parsed or as bytes -> 16-bit words, and the byte left over if any.

    Both are empty for values of another kind.
    """
    values = get_values(dataset, keyword)
    if len(values) == 1 and isinstance(values[0], bytes):
        raw, even = values[0], len(values[0]) // 2 * 2
        return np.frombuffer(raw[:even], ">u2" if is_big_endian else "<u2"), raw[even:]
    if values and all(isinstance(value, int) for value in values):
        return (np.array(values, np.int64) % MOST_ENTRIES).astype(np.uint16), b""
    return np.empty(0, np.uint16), b""
