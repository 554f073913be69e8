"""Frames by byte range, without parsing the object."""

from array import array
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
from pydicom.encaps import generate_frames, get_frame
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from apps.archive.reading import open_stored, read, stream
from apps.core.errors import NotFoundError
from apps.studies.header import ITEM, SEQUENCE_END, is_explicit, scan
from apps.studies.retrieve.outgoing import read_whole
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


def stored_frames(item: Item, numbers: Sequence[int]) -> Iterator[bytes]:
    """Yield frames as they are stored, each a compressed stream or native little endian pixels.

    One at a time is in memory.

    Args:
        item: an instance with pixel data.
        numbers: frame numbers, from 1.

    Raises:
        NotFoundError: no pixel data, or no such frame; at once where that can be told at once.
    """
    if any(not 1 <= number <= item.frames for number in numbers):
        message = f"The instance has frames 1 to {item.frames}."
        raise NotFoundError(message)
    if item.transfer_syntax_uid in SWAPPED:
        return _swapped(item, numbers)
    offset = _offset(item)
    if item.pixel_length is None:
        return _encapsulated(item, numbers, offset)
    return _native(item, numbers, offset, item.pixel_length)


def stored_frame(item: Item, number: int) -> bytes:
    """Return one frame as `stored_frames` gives it."""
    [frame] = stored_frames(item, [number])
    return frame


class PixelBytes:
    """The whole pixel data of an instance as one value, which is never held whole.

    Native it is as stored, little endian; encapsulated, what its fragments hold joined, as of a
    video. Only where each fragment lies is kept.

    Raises:
        NotFoundError: no pixel data, or none that lies in the file as it goes out.
    """

    def __init__(self, item: Item) -> None:
        offset = _offset(item)
        self._copies = item.copies
        if item.pixel_length is None:
            self._spans, self.end = _fragments(item, offset)
        else:
            self._spans = array("Q", (offset, item.pixel_length))
            self.end = offset + item.pixel_length
        """Where the element's value, and its delimiter, end in the file."""

    def __len__(self) -> int:
        return sum(self._spans[1::2])

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the value's bytes from one offset in it to another."""
        at, stop = 0, len(self) if stop is None else stop
        for offset, length in zip(self._spans[::2], self._spans[1::2], strict=True):
            first, last = max(start - at, 0), min(stop - at, length)
            if first < last:
                yield from stream(self._copies, offset + first, last - first)
            at += length


def lies_as_given(item: Item) -> bool:
    """Tell whether frames go out byte for byte as they lie in the file."""
    return item.transfer_syntax_uid not in SWAPPED


def _offset(item: Item) -> int:
    if item.pixel_offset is None:
        message = "The instance has no pixel data."
        raise NotFoundError(message)
    return item.pixel_offset


def _fragments(item: Item, offset: int) -> "tuple[array[int], int]":
    """Return where each fragment lies and how long it is, and where the delimiter ends.

    Source: PS3.5 A.4: the first item is the Basic Offset Table.
    """
    spans: array[int] = array("Q")
    with open_stored(item.copies, item.size_bytes) as file:
        file.seek(offset)
        first = True
        while len(header := file.read(8)) == 8:
            tag = int.from_bytes(header[:2], "little") << 16 | int.from_bytes(header[2:4], "little")
            length = int.from_bytes(header[4:], "little")
            if tag == SEQUENCE_END:
                break
            if tag != ITEM or file.tell() + length > item.size_bytes:
                message = "The stored fragments cannot be told apart."
                raise NotFoundError(message)
            if not first:
                spans.extend((file.tell(), length))
            first = False
            file.seek(length, 1)
        return spans, file.tell()


def _native(item: Item, numbers: Sequence[int], offset: int, length: int) -> Iterator[bytes]:
    if item.bits_allocated == 1 and item.frames > 1:
        pixels = (item.rows or 0) * (item.columns or 0)
        return (_bits(item, offset, pixels, n) for n in numbers)
    size = length // item.frames
    return (read(item.copies, offset + (n - 1) * size, size) for n in numbers)


def _bits(item: Item, offset: int, pixels: int, number: int) -> bytes:
    """Cut one frame out of 1-bit pixels, which follow each other without regard to bytes."""
    first, last = (number - 1) * pixels, number * pixels
    packed = read(item.copies, offset + first // 8, (last + 7) // 8 - first // 8)
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")
    frame = bits[first % 8 : first % 8 + pixels]
    return np.packbits(frame, bitorder="little").tobytes()


def _encapsulated(item: Item, numbers: Sequence[int], offset: int) -> Iterator[bytes]:
    offsets = _extended_offsets(item, offset)
    with open_stored(item.copies, item.size_bytes) as file:
        number = numbers[0] if numbers else 0
        try:
            if len(numbers) > 1 and list(numbers) == list(range(1, item.frames + 1)):
                file.seek(offset)
                for frame in generate_frames(
                    file, number_of_frames=item.frames, extended_offsets=offsets
                ):
                    yield frame
                    number += 1
                return
            for number in numbers:
                yield _frame(file, item, number, offset, offsets)
        except ValueError as error:
            message = f"Frame {number} cannot be told apart in the stored pixel data."
            raise NotFoundError(message, reason=str(error)) from error


def _frame(
    file: BinaryIO, item: Item, number: int, offset: int, offsets: tuple[bytes, bytes] | None
) -> bytes:
    file.seek(offset)
    return get_frame(file, number - 1, number_of_frames=item.frames, extended_offsets=offsets)


def _extended_offsets(item: Item, offset: int) -> tuple[bytes, bytes] | None:
    """Return (7FE0,0001) and (7FE0,0002) where the object has them, just before its pixels."""
    if item.frames == 1:
        return None
    tail = min(item.frames * 16 + 64, offset - item.dataset_offset)
    before = read(item.copies, offset - tail, tail)
    marker = before.rfind(b"\xe0\x7f\x01\x00OV")
    if marker < 0:
        return None
    header = scan(before[marker:], explicit=is_explicit(item.transfer_syntax_uid))
    offsets, lengths = header.raw(EXTENDED_OFFSETS), header.raw(EXTENDED_LENGTHS)
    return (offsets, lengths) if offsets and lengths else None


def _swapped(item: Item, numbers: Sequence[int]) -> Iterator[bytes]:
    ds = read_whole(item)
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
    return (data[(n - 1) * size : n * size] for n in numbers)
