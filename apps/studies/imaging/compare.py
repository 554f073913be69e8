"""In what two data sets of one SOP Instance UID differ: attribute by attribute, frame by frame.

Memory is bounded: two headers and two frames at most. What would take more is not judged, and that
is said.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import zip_longest

import numpy as np
from PIL import Image
from pydicom import Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from apps.core.errors import DomainError
from apps.studies.domain import Difference
from apps.studies.imaging.decode import UndecodableError, decode_frame, decode_frames
from apps.studies.retrieve.frames import SWAPPED, PixelBytes
from apps.studies.retrieve.outgoing import read_behind, read_header
from apps.studies.retrieve.select import Item

HEADER_BYTES = 32 << 20
FRAME_BYTES = 256 << 20
CHUNK = 1 << 20
PICTURE_EDGE = 640
SHOWN_CHARACTERS = 200
BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
TEXTS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
NO_ATTRIBUTES = frozenset({0x0002, 0x7FE0, 0xFFFC})
"""File meta information, pixel data, padding."""
PIXEL_MODULE = (
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "NumberOfFrames",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Differing:
    """One attribute that differs; `before` is of the current data set. None where it is absent."""

    path: str
    tag: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two data sets differ in, and the same in words."""

    difference: Difference
    words: str
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class _Pixels:
    """`same` is None where it could not be found out."""

    same: bool | None
    words: str
    frame: int | None = None


class _TooLargeError(Exception):
    """It will not be held in memory."""


def compare(current: Item, other: Item) -> Comparison:
    """Tell in what another data set differs from the current one of its UID.

    Colours are compared as RGB, grey as the values that are stored, whatever either was encoded in;
    up to the first frame that differs.
    """
    attributes = differences(current, other)
    pixels = _pixels(current, other)
    if pixels.same and current.transfer_syntax_uid != other.transfer_syntax_uid:
        attributes = attributes and [a for a in attributes if not _is_encoding(a)]
    also = _attribute_words(attributes)
    if pixels.same is None:
        reason = f"Whether the picture is the same is not known: {pixels.words}"
        return Comparison(Difference.UNKNOWN, f"{reason}; {also}"[:300])
    if not pixels.same:
        return Comparison(Difference.PIXELS, f"{pixels.words}; {also}"[:300], pixels.frame)
    if attributes is None:
        return Comparison(Difference.UNKNOWN, f"{pixels.words}, but {also}"[:300])
    if attributes:
        return Comparison(Difference.HEADER, f"{pixels.words}; {also}"[:300])
    now, then = UID(other.transfer_syntax_uid).name, UID(current.transfer_syntax_uid).name
    how = "written in another way" if now == then else f"encoded as {now} instead of {then}"
    return Comparison(Difference.ENCODING, f"{pixels.words} and the same attributes, {how}"[:300])


def differences(current: Item, other: Item) -> list[Differing] | None:
    """Return the attributes that differ, pixel data and group lengths aside.

    None where a header is too large to be held, or cannot be read.
    """
    try:
        found = list(_differing(_header(current), _header(other), ""))
        found += _differing(_behind(current), _behind(other), "")
    except (_TooLargeError, DomainError):
        return None
    except Exception:  # what was stored may hold anything; pydicom raises what it likes
        return None
    return found


def difference_picture(current: Item, other: Item, number: int) -> bytes:
    """Draw how far the values of one frame lie apart, the largest distance white, as PNG.

    Raises:
        UndecodableError: one of them is no picture that can be decoded, or they differ in size.
    """
    for item in (current, other):
        if (item.rows or 0) * (item.columns or 0) * 3 * (
            item.bits_allocated or 8
        ) // 8 > FRAME_BYTES:
            raise UndecodableError(reason="the picture is too large")
    before, after = (decode_frame(item, number).pixels for item in (current, other))
    if before.shape != after.shape:
        raise UndecodableError(reason="the pictures differ in size or kind")
    rows = [_distance(one, two) for one, two in zip(before, after, strict=True)]
    distance = np.stack([row if row.ndim == 1 else row.max(axis=1) for row in rows])
    largest = float(distance.max()) or 1.0
    image = Image.fromarray(np.rint(distance * (255.0 / largest)).astype(np.uint8))
    image.thumbnail((PICTURE_EDGE, PICTURE_EDGE))
    out = BytesIO()
    image.save(out, "PNG", compress_level=3)
    return out.getvalue()


def _distance(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return np.nan_to_num(np.abs(one.astype(np.float32) - two.astype(np.float32)))


def _attribute_words(attributes: list[Differing] | None) -> str:
    if attributes is None:
        return "the attributes could not be compared"
    if not attributes:
        return "the same attributes"
    names = [attribute.name for attribute in attributes]
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    count = "1 attribute differs" if len(names) == 1 else f"{len(names)} attributes differ"
    return f"{count}: {', '.join(names[:4])}{more}"


def _is_encoding(attribute: Differing) -> bool:
    """Whether the transfer syntax alone says it: the picture is the same."""
    if attribute.tag == "0028,0006":
        return True
    colours = ("RGB", "YBR")
    return attribute.tag == "0028,0004" and all(
        (value or "").startswith(colours) for value in (attribute.before, attribute.after)
    )


def _header(item: Item) -> Dataset:
    """Return what stands before the pixel data, without reading more than that."""
    size = item.size_bytes if item.pixel_offset is None else item.pixel_offset
    if size > (FRAME_BYTES if item.transfer_syntax_uid in SWAPPED else HEADER_BYTES):
        raise _TooLargeError
    return read_header(item)


def _behind(item: Item) -> Dataset:
    """Return the elements that follow the pixel data; none where it cannot be told."""
    if item.pixel_offset is None or item.transfer_syntax_uid in SWAPPED:
        return Dataset()
    end = PixelBytes(item).end
    if item.size_bytes - end > HEADER_BYTES:
        raise _TooLargeError
    return read_behind(item, end)


def _differing(before: Dataset, after: Dataset, path: str) -> Iterator[Differing]:
    for tag in sorted(before.keys() | after.keys()):
        if tag.group in NO_ATTRIBUTES or tag.element == 0:
            continue
        if tag not in before or tag not in after:
            yield _line(path, tag, before, after)
        elif not _same_raw(before, after, tag):
            yield from _unlike(before, after, tag, path)


def _unlike(before: Dataset, after: Dataset, tag: BaseTag, path: str) -> Iterator[Differing]:
    ours, theirs = before[tag], after[tag]
    if ours.VR == theirs.VR == "SQ":
        if len(ours.value) != len(theirs.value):
            yield _line(path, tag, before, after)
        for number, (one, two) in enumerate(zip(ours.value, theirs.value, strict=False), start=1):
            yield from _differing(one, two, f"{path}{ours.name} {number} › ")
    elif _text(ours) != _text(theirs) or (ours.VR in BINARY and ours.value != theirs.value):
        yield _line(path, tag, before, after)


def _same_raw(before: Dataset, after: Dataset, tag: BaseTag) -> bool:
    """Whether the bytes are the same, padding aside, and mean the same."""
    ours, theirs = before.get_item(tag), after.get_item(tag)
    if not (isinstance(ours, RawDataElement) and isinstance(theirs, RawDataElement)):
        return False
    if ours.is_little_endian != theirs.is_little_endian or ours.value is None:
        return False
    if (ours.value or b"").rstrip(b" \0") != (theirs.value or b"").rstrip(b" \0"):
        return False
    same_set = before.get("SpecificCharacterSet") == after.get("SpecificCharacterSet")
    return same_set or ours.value.isascii()


def _line(path: str, tag: BaseTag, before: Dataset, after: Dataset) -> Differing:
    ours, theirs = _element(before, tag), _element(after, tag)
    element = ours if ours is not None else theirs
    name = element.name if element is not None else keyword_for_tag(tag)
    return Differing(
        f"{path}{tag}",
        f"{tag.group:04X},{tag.element:04X}",
        f"{path}{name}",
        None if ours is None else _text(ours)[:SHOWN_CHARACTERS],
        None if theirs is None else _text(theirs)[:SHOWN_CHARACTERS],
    )


def _element(ds: Dataset, tag: BaseTag) -> DataElement | None:
    return ds[tag] if tag in ds else None  # noqa: SIM401 - `get` gives values, not elements


def _text(element: DataElement) -> str:
    if element.VR == "SQ":
        return f"{len(element.value)} item{'' if len(element.value) == 1 else 's'}"
    if element.VR in BINARY and isinstance(element.value, bytes):
        return f"{len(element.value):,} bytes"
    return "" if element.value is None else str(element.value)


def _pixels(current: Item, other: Item) -> _Pixels:
    found = _shapes(current, other)
    if found is not None:
        return found
    try:
        if _same_bytes(current, other):
            return _Pixels(same=True, words="The same pixels")
        _check_size(current)
        _check_size(other)
        return _frames(current, other)
    except _TooLargeError:
        return _Pixels(same=None, words="the picture is too large to be decoded for this")
    except (DomainError, ValueError, IndexError, EOFError, struct.error) as error:
        reason = error.details.get("reason") if isinstance(error, DomainError) else None
        words = " ".join(str(reason or error).split())[:120]
        return _Pixels(same=None, words=f"it cannot be decoded ({words})")


def _shapes(current: Item, other: Item) -> _Pixels | None:
    """Return what shows without decoding; None where both are pictures of one size."""
    have = [_has_pixels(item) for item in (current, other)]
    if not any(have):
        return _Pixels(same=True, words="No picture in either")
    if not all(have):
        which = "current" if have[0] else "other"
        return _Pixels(same=False, words=f"Only the {which} one has a picture")
    sizes = [(i.columns, i.rows, i.frames) for i in (current, other)]
    if sizes[0] != sizes[1]:
        words = [f"{c} × {r}" + (f", {f} frames" if f > 1 else "") for c, r, f in sizes]
        return _Pixels(same=False, words=f"Another picture: {words[1]} instead of {words[0]}")
    return None


def _has_pixels(item: Item) -> bool:
    return bool(item.rows and item.columns) and (
        item.pixel_offset is not None or item.transfer_syntax_uid in SWAPPED
    )


def _same_bytes(current: Item, other: Item) -> bool:
    """Whether the encoded pixels are the same bytes and are described alike: no need to decode."""
    kinds = {NATIVE[0] if i.transfer_syntax_uid in NATIVE else i.transfer_syntax_uid
             for i in (current, other)}  # fmt: skip
    if len(kinds) > 1 or kinds & set(SWAPPED):
        return False
    before, after = _header(current), _header(other)
    if any(before.get(keyword) != after.get(keyword) for keyword in PIXEL_MODULE):
        return False
    return all(a == b for a, b in zip_longest(_encoded(current), _encoded(other)))


def _encoded(item: Item) -> Iterator[bytes]:
    """Yield the encoded pixels in pieces of one size."""
    pixels = PixelBytes(item)
    for position in range(0, len(pixels), CHUNK):
        yield b"".join(pixels.chunks(position, min(position + CHUNK, len(pixels))))


def _check_size(item: Item) -> None:
    """Refuse frames that are too large, and what is read whole to have one."""
    frame = (item.rows or 0) * (item.columns or 0) * 3 * max(item.bits_allocated or 8, 8) // 8
    if frame > FRAME_BYTES or (
        item.transfer_syntax_uid in SWAPPED and item.size_bytes > FRAME_BYTES
    ):
        raise _TooLargeError


def _frames(current: Item, other: Item) -> _Pixels:
    pairs = zip(decode_frames(current), decode_frames(other), strict=True)
    for number, (before, after) in enumerate(pairs, start=1):
        where = f"from frame {number} on, " if current.frames > 1 else ""
        if before.shape != after.shape:
            return _Pixels(
                same=False, words=f"Other pixels: {where}grey against colours", frame=number
            )
        largest = _largest_difference(before, after)
        if largest:
            return _Pixels(
                same=False,
                words=f"Other pixels: {where}values differ by up to {largest:,.6g}",
                frame=number,
            )
    return _Pixels(same=True, words="The same pixels")


def _largest_difference(before: np.ndarray, after: np.ndarray) -> float:
    """Return the largest difference of two values, row by row so that nothing large is copied."""
    if np.array_equal(before, after, equal_nan=before.dtype.kind == after.dtype.kind == "f"):
        return 0.0
    return max(
        float(np.max(np.nan_to_num(np.abs(one.astype(float) - two.astype(float)), nan=np.inf)))
        for one, two in zip(before, after, strict=True)
    )
