"""Frames by byte range, without parsing the object."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydicom.encaps import generate_fragments, get_frame, parse_basic_offsets
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from apps.archive.storage import storage_named
from apps.core.errors import NotFoundError
from apps.studies.header import is_explicit, scan
from apps.studies.retrieve.outgoing import read_dataset
from apps.studies.retrieve.select import Item

SWAPPED = (ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, *SWAPPED)
EXTENDED_OFFSETS, EXTENDED_LENGTHS = 0x7FE00001, 0x7FE00002


def frame_transfer_syntax(item: Item) -> str:
    """Return the transfer syntax in which `stored_frames` gives frames.

    Native ones are little endian whatever they were stored in (PS3.18 8.7.3.3.2).
    """
    if item.transfer_syntax_uid in NATIVE:
        return str(ExplicitVRLittleEndian)
    return item.transfer_syntax_uid


def stored_frames(item: Item, numbers: Sequence[int]) -> list[bytes]:
    """Return frames as they are stored, each a compressed stream or native little endian pixels.

    Args:
        item: an instance with pixel data.
        numbers: frame numbers, from 1.

    Raises:
        NotFoundError: no pixel data, or no such frame.
    """
    if any(not 1 <= number <= item.frames for number in numbers):
        message = f"The instance has frames 1 to {item.frames}."
        raise NotFoundError(message)
    if item.transfer_syntax_uid in SWAPPED:
        return _swapped(item, numbers)
    if item.pixel_offset is None:
        message = "The instance has no pixel data."
        raise NotFoundError(message)
    if item.pixel_length is None:
        return _encapsulated(item, numbers)
    return _native(item, numbers, item.pixel_offset, item.pixel_length)


def stored_stream(item: Item) -> Iterator[bytes]:
    """Yield the whole encapsulated pixel data fragment by fragment, as of a video.

    Raises:
        NotFoundError: no encapsulated pixel data.
    """
    if item.pixel_offset is None or item.pixel_length is not None:
        message = "The instance has no encapsulated pixel data."
        raise NotFoundError(message)
    return _fragments(item, item.pixel_offset)


def _fragments(item: Item, offset: int) -> Iterator[bytes]:
    with _open(item) as file:
        file.seek(offset)
        parse_basic_offsets(file)
        yield from generate_fragments(file)


def _native(item: Item, numbers: Sequence[int], offset: int, length: int) -> list[bytes]:
    storage = storage_named(item.storage)
    if item.bits_allocated == 1 and item.frames > 1:
        pixels = (item.rows or 0) * (item.columns or 0)
        return [_bits(storage.read(item.key, offset, length), pixels, n) for n in numbers]
    size = length // item.frames
    return [storage.read(item.key, offset + (n - 1) * size, size) for n in numbers]


def _bits(packed: bytes, pixels: int, number: int) -> bytes:
    """Cut one frame out of 1-bit pixels, which follow each other without regard to bytes."""
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")
    frame = bits[(number - 1) * pixels : number * pixels]
    return np.packbits(frame, bitorder="little").tobytes()


def _encapsulated(item: Item, numbers: Sequence[int]) -> list[bytes]:
    with _open(item) as file:
        offsets = _extended_offsets(item)
        result = []
        for number in numbers:
            file.seek(item.pixel_offset or 0)
            try:
                frame = get_frame(
                    file, number - 1, number_of_frames=item.frames, extended_offsets=offsets
                )
            except ValueError as error:
                message = f"Frame {number} cannot be told apart in the stored pixel data."
                raise NotFoundError(message, reason=str(error)) from error
            result.append(frame)
        return result


def _extended_offsets(item: Item) -> tuple[bytes, bytes] | None:
    """Return (7FE0,0001) and (7FE0,0002) where the object has them, just before its pixels."""
    storage = storage_named(item.storage)
    if item.frames == 1:
        return None
    tail = min(item.frames * 16 + 64, (item.pixel_offset or 0) - item.dataset_offset)
    before = storage.read(item.key, (item.pixel_offset or 0) - tail, tail)
    marker = before.rfind(b"\xe0\x7f\x01\x00OV")
    if marker < 0:
        return None
    header = scan(before[marker:], explicit=is_explicit(item.transfer_syntax_uid))
    offsets, lengths = header.raw(EXTENDED_OFFSETS), header.raw(EXTENDED_LENGTHS)
    return (offsets, lengths) if offsets and lengths else None


def _swapped(item: Item, numbers: Sequence[int]) -> list[bytes]:
    ds = read_dataset(item)
    if "PixelData" not in ds:
        message = "The instance has no pixel data."
        raise NotFoundError(message)
    data = ds.PixelData
    if item.transfer_syntax_uid == ExplicitVRBigEndian and ds.BitsAllocated > 8:
        kind = np.dtype(f"u{ds.BitsAllocated // 8}")
        data = np.frombuffer(data, kind.newbyteorder(">")).astype(kind.newbyteorder("<")).tobytes()
    elif item.transfer_syntax_uid == ExplicitVRBigEndian and ds["PixelData"].VR == "OW":
        data = np.frombuffer(data, ">u2").astype("<u2").tobytes()
    size = len(data) // item.frames
    return [data[(n - 1) * size : n * size] for n in numbers]


def _open(item: Item) -> BinaryIO:
    storage = storage_named(item.storage)
    path = storage.local_path(item.key)
    return BytesIO(storage.read(item.key)) if path is None else Path(path).open("rb")
