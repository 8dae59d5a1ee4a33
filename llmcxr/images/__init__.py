"""Read, fit and write radiographs as pixels, (H, W) float32 in [0, 1], bright = dense. Knows no models.

from llmcxr import images

pixels, header = images.read_with_header("radiograph.dcm")
fitted, padding = images.fit(pixels, 256)
"""

from llmcxr.images.arrays import is_batch
from llmcxr.images.fitting import Padding, fit, place
from llmcxr.images.header import ImageHeader
from llmcxr.images.reading import Source, read, read_size, read_with_header
from llmcxr.images.scaling import check_brightness
from llmcxr.images.writing import (
    FIGURE,
    SYNTHETIC_KEY,
    read_chunks,
    to_picture,
    to_png,
    write_figure,
    write_png,
)

__all__ = [
    "FIGURE",
    "SYNTHETIC_KEY",
    "ImageHeader",
    "Padding",
    "Source",
    "check_brightness",
    "fit",
    "is_batch",
    "place",
    "read",
    "read_chunks",
    "read_size",
    "read_with_header",
    "to_picture",
    "to_png",
    "write_figure",
    "write_png",
]
