"""Doors for pixels: pictures, DICOM files, arrays, tensors."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import torch
from PIL import Image

from llmcxr import images
from llmcxr.data import open_dataset
from llmcxr.images import dicom
from tests.fuzz.mutations import Chance
from tests.llmcxr.images.files import DEFLATE, make_png, make_tiff

RAMP = np.linspace(0, 1, 20 * 24, dtype=np.float32).reshape(20, 24)


def check_read(pixels: np.ndarray, header: images.ImageHeader) -> None:
    assert pixels.ndim == 2 and pixels.dtype == np.float32 and min(pixels.shape) >= 16
    assert np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1 + 1e-3
    assert all(isinstance(warning, str) for warning in header.warnings)


def save(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


class Pictures:
    """Pictures of every format; what is not damaged reads as the ramp."""

    weight = 22

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        grey = Image.fromarray(np.rint(RAMP * 255).astype(np.uint8))
        deep = np.rint(RAMP * 65535)
        self.seeds = {
            "png": save(grey, "PNG"),
            "palette.png": save(grey.convert("P"), "PNG"),
            "transparent.png": save(grey.convert("LA"), "PNG"),
            "colour.png": save(grey.convert("RGBA"), "PNG"),
            "deep.png": make_png(deep),
            "deep_colour.png": make_png(np.stack([np.rint(RAMP * 4095)] * 3, -1)),
            "jpg": save(grey, "JPEG", quality=95),
            "progressive.jpg": save(grey.convert("RGB"), "JPEG", quality=95, progressive=True),
            "jp2": save(grey, "JPEG2000"),
            "tif": save(grey, "TIFF"),
            "lzw.tif": save(grey, "TIFF", compression="tiff_lzw"),
            "float.tif": make_tiff(RAMP, 32, 3),
            "white_zero.tif": make_tiff(np.rint((1 - RAMP) * 4095), photometric=0, order=">"),
            "planes.tif": make_tiff(np.stack([deep] * 3, -1), photometric=2, planar=True),
            "deflated.tif": make_tiff(deep, compression=DEFLATE),
            "bmp": save(grey, "BMP"),
            "pgm": save(grey, "PPM"),
            "webp": save(grey.convert("RGB"), "WEBP", lossless=True),
            "gif": save(grey, "GIF"),
        }
        self.names = list(self.seeds)

    def try_one(self, chance: Chance) -> None:
        name = chance.pick(self.names)
        whole = self.seeds[name]
        if chance.happens(0.05):
            np.testing.assert_allclose(images.read(whole), RAMP, atol=0.04, err_msg=name)
            return
        content = chance.damage(whole, self.seeds[chance.pick(self.names)])
        if chance.happens(0.2):
            path = self.folder / f"a.{name}"
            path.write_bytes(content)
            images_of_path = images.read_with_header(path)
            check_read(*images_of_path)
            return
        check_read(*images.read_with_header(content))


class DicomFiles:
    """DICOM files whose elements have other values, and whose bytes are damaged."""

    weight = 16
    ELEMENTS = (
        "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel",
        "NumberOfFrames", "PlanarConfiguration",
    )  # fmt: skip
    NUMBERS = ("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept")
    SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio")
    TEXTS = (
        "PhotometricInterpretation", "VOILUTFunction", "PatientAge", "PatientSex", "ViewPosition", "Modality",
        "PatientOrientation", "PresentationIntentType", "SOPInstanceUID", "StudyInstanceUID", "PatientID",
    )  # fmt: skip
    WORDS = (
        "MONOCHROME1",
        "RGB",
        "PALETTE COLOR",
        "YBR_FULL",
        "LATERAL",
        "L\\F",
        "SIGMOID",
        "FOR PROCESSING",
        "",
    )

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "dicom"
        self.folder.mkdir()
        self.whole = dicom.write_synthetic(folder / "whole.dcm", RAMP, {"seed": 0}).read_bytes()

    def try_one(self, chance: Chance) -> None:
        content = self._change(chance) if chance.happens(0.6) else self.whole
        if content is self.whole or chance.happens(0.3):
            content = chance.damage(content, self.whole)
        if chance.happens(0.8):
            check_read(*images.read_with_header(content))
            return
        (self.folder / "a.dcm").write_bytes(content)
        (self.folder / "b.dcm").write_bytes(self.whole)
        dataset = open_dataset(f"dicom:{self.folder}")
        for index in range(len(dataset)):
            assert dataset[index].study_id and dataset[index].patient_id
            check_read(dataset.read(index), images.ImageHeader())

    def _change(self, chance: Chance) -> bytes:
        dataset = pydicom.dcmread(BytesIO(self.whole))
        for _ in range(1 + chance.below(3)):
            self._change_one(dataset, chance)
        file = BytesIO()
        try:
            with dicom.quiet():
                dataset.save_as(file)
        except Exception:  # pydicom itself refuses to write the value
            return self.whole
        return file.getvalue()

    def _change_one(self, dataset: pydicom.Dataset, chance: Chance) -> None:
        kind = chance.below(5)
        try:
            with dicom.quiet():
                if kind == 0:
                    setattr(dataset, chance.pick(self.ELEMENTS), chance.below(2 ** chance.below(17)))
                elif kind == 1:
                    setattr(dataset, chance.pick(self.NUMBERS), str(chance.number())[:16])
                elif kind == 2:
                    setattr(dataset, chance.pick(self.SPACINGS), [str(chance.number())[:16] for _ in "ab"])
                elif kind == 3:
                    setattr(dataset, chance.pick(self.TEXTS), chance.pick(self.WORDS))
                else:
                    del dataset[chance.pick([element.tag for element in dataset])]
        except Exception:  # pydicom itself refuses the value
            return


class Arrays:
    """Arrays and tensors of all types and shapes."""

    weight = 6
    TYPES = ("f2", "f4", "f8", "u1", "u2", "u4", "i1", "i2", "i4", "i8", "?", "c8", "U3", "O", "M8[s]")
    SHAPES = ((20, 24), (1, 20, 24), (3, 20, 24), (20, 24, 3), (20, 24, 4), (0, 20), (5, 20, 24), (17,), ())

    def __init__(self, folder: Path) -> None:
        pass

    def try_one(self, chance: Chance) -> None:
        check_read(*images.read_with_header(make_array(chance)))


def make_array(chance: Chance) -> np.ndarray | torch.Tensor:
    shape = chance.pick(Arrays.SHAPES)
    values = np.asarray(chance.rng.random(shape) * chance.pick((1, 1, 255, 65535, -3, 1e38)))
    with np.errstate(all="ignore"):
        array = values.astype(chance.pick(Arrays.TYPES))
    if array.dtype.kind == "f" and array.size and chance.happens(0.3):
        with np.errstate(all="ignore"):
            array.flat[chance.below(array.size)] = chance.number()
    if array.dtype.kind in "fib" and chance.happens(0.4):
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        return chance.pick((tensor, tensor.bfloat16(), tensor.to_sparse() if tensor.ndim else tensor))
    return array
