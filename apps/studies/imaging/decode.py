"""One frame as an array, whatever it was stored in."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import convert_color_space
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from apps.core.errors import DomainError
from apps.studies.codecs import decode_beyond, is_beyond_pydicom
from apps.studies.retrieve.frames import stored_frame, stored_frames
from apps.studies.retrieve.outgoing import read_header
from apps.studies.retrieve.select import Item

_UNDECODABLE = (ValueError, RuntimeError, NotImplementedError, AttributeError, KeyError)


class UndecodableError(DomainError):
    """There are no pixels, or nothing here decodes them."""

    code = "studies.cannot-render"
    message = "This object has no picture that the server can draw."


class PresentationError(UndecodableError):
    """A presentation state asks for what is not drawn here, or for what cannot be."""

    code = "studies.cannot-present"
    message = (
        "The presentation state cannot be drawn: an attribute is missing or has a wrong value, or "
        "it asks for what is not drawn here."
    )


@dataclass(frozen=True, slots=True)
class Frame:
    """Stored values of one frame.

    Attributes:
        pixels: `(rows, columns)` of stored values, or `(rows, columns, 3)` uint8-like RGB.
        ds: the object's attributes without its pixels.
        number: of the frame, from 1.
    """

    pixels: np.ndarray
    ds: Dataset
    number: int

    @property
    def color(self) -> bool:
        """Whether pixels are RGB."""
        return self.pixels.ndim == 3


def decode_frame(item: Item, number: int = 1) -> Frame:
    """Decode one frame; colour comes as RGB, palette and grey as stored values.

    Raises:
        UndecodableError: no pixel data, or no decoder.
        NotFoundError: no such frame.
    """
    ds = read_header(item)
    _require_size(item)
    return Frame(_decoded(item, ds, stored_frame(item, number)), ds, number)


def decode_frames(item: Item) -> Iterator[np.ndarray]:
    """Yield the pixels of every frame, one in memory at a time; see `decode_frame`.

    Raises:
        UndecodableError: no pixel data, or no decoder.
    """
    ds = read_header(item)
    _require_size(item)
    for stored in stored_frames(item, range(1, item.frames + 1)):
        yield _decoded(item, ds, stored)


def _require_size(item: Item) -> None:
    if not item.rows or not item.columns:
        raise UndecodableError(sop_class_uid=item.sop_class_uid)


def _decoded(item: Item, ds: Dataset, stored: bytes) -> np.ndarray:
    try:
        return _pixels(item, ds, stored)
    except (*_UNDECODABLE, zlib.error) as error:
        raise UndecodableError(
            transfer_syntax_uid=item.transfer_syntax_uid, reason=str(error)
        ) from error


def _pixels(item: Item, ds: Dataset, stored: bytes) -> np.ndarray:
    syntax = UID(item.transfer_syntax_uid)
    if is_beyond_pydicom(item.transfer_syntax_uid, ds):
        decoded = decode_beyond(item.transfer_syntax_uid, stored)
        return _native(ds, decoded) if isinstance(decoded, bytes) else _signed(ds, decoded)
    if not syntax.is_encapsulated:
        return _native(ds, stored)
    return _by_pydicom(ds, stored)


def _by_pydicom(ds: Dataset, stored: bytes) -> np.ndarray:
    one = Dataset()
    for keyword in (
        "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns",
        "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    ):  # fmt: skip
        if keyword in ds:
            setattr(one, keyword, ds[keyword].value)
    one.file_meta = ds.file_meta
    one.PixelData = encapsulate([stored])
    one["PixelData"].is_undefined_length = True
    return pixel_array(one, raw=False)


def _native(ds: Dataset, stored: bytes) -> np.ndarray:
    rows, columns, samples = ds.Rows, ds.Columns, ds.get("SamplesPerPixel", 1)
    interpretation = ds.get("PhotometricInterpretation", "MONOCHROME2")
    if "FloatPixelData" in ds:
        return np.frombuffer(stored, "<f4", rows * columns).reshape(rows, columns)
    bits = ds.BitsAllocated
    if bits == 1:
        flat = np.unpackbits(np.frombuffer(stored, np.uint8), bitorder="little")
        return flat[: rows * columns].reshape(rows, columns)
    kind = np.dtype(f"<{'i' if ds.get('PixelRepresentation') else 'u'}{bits // 8}")
    if interpretation == "YBR_FULL_422":
        return _from_422(np.frombuffer(stored, kind, rows * columns * 2), rows, columns)
    pixels = np.frombuffer(stored, kind, rows * columns * samples)
    if samples == 1:
        return _sign_extended(pixels.reshape(rows, columns), ds)
    if ds.get("PlanarConfiguration"):
        pixels = pixels.reshape(samples, rows, columns).transpose(1, 2, 0)
    else:
        pixels = pixels.reshape(rows, columns, samples)
    if interpretation.startswith("YBR"):
        pixels = convert_color_space(pixels, interpretation, "RGB")
    return pixels


def _from_422(samples: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Y1 Y2 Cb Cr for each two pixels (PS3.3 C.7.6.3.1.2)."""
    quads = samples.reshape(rows, columns // 2, 4)
    full = np.empty((rows, columns, 3), samples.dtype)
    full[:, 0::2, 0], full[:, 1::2, 0] = quads[..., 0], quads[..., 1]
    full[:, 0::2, 1:] = full[:, 1::2, 1:] = quads[..., 2:]
    return convert_color_space(full, "YBR_FULL", "RGB")


def _signed(ds: Dataset, pixels: np.ndarray) -> np.ndarray:
    """Read what a codec gave as the data set says: signed or not."""
    if pixels.ndim == 3 and ds.get("PhotometricInterpretation", "").startswith("YBR_FULL"):
        return convert_color_space(pixels, "YBR_FULL", "RGB")
    return _sign_extended(pixels, ds) if pixels.ndim == 2 else pixels


def _sign_extended(pixels: np.ndarray, ds: Dataset) -> np.ndarray:
    """Drop what lies above Bits Stored, such as overlays, and spread the sign (PS3.5 8.1.1)."""
    if pixels.dtype.kind == "f":
        return pixels
    allocated, stored = pixels.dtype.itemsize * 8, int(ds.get("BitsStored", 16))
    high = int(ds.get("HighBit", stored - 1))
    if ds.get("PixelRepresentation"):
        signed = pixels.astype(pixels.dtype.str.replace("u", "i"), copy=False)
        return (signed << (allocated - 1 - high)) >> (allocated - stored)
    unsigned = pixels.astype(pixels.dtype.str.replace("i", "u"), copy=False)
    if stored == allocated:
        return unsigned
    return (unsigned >> (high + 1 - stored)) & ((1 << stored) - 1)
