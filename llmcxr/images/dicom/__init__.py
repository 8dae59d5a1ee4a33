"""Read DICOM radiographs; write drawn ones, marked as synthetic. pydicom is imported when a file is read."""

from llmcxr.images.dicom.display import apply_window
from llmcxr.images.dicom.opening import is_dataset, is_dicom, quiet
from llmcxr.images.dicom.reading import read, read_header
from llmcxr.images.dicom.writing import is_drawn, write_synthetic

__all__ = [
    "apply_window",
    "is_dataset",
    "is_dicom",
    "is_drawn",
    "quiet",
    "read",
    "read_header",
    "write_synthetic",
]
