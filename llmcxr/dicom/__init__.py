"""DICOM radiographs in, and drawn ones out, marked as synthetic. pydicom is imported when a file is read."""

from llmcxr.dicom.display import apply_window
from llmcxr.dicom.reading import is_dicom, quiet, read, read_header
from llmcxr.dicom.writing import write_synthetic

__all__ = ["apply_window", "is_dicom", "quiet", "read", "read_header", "write_synthetic"]
