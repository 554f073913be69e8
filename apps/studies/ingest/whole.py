"""Whether all of a data set came: a file that was cut off is refused, never half kept.

Dear only where it must be. Native pixel data tells its own end; fragments that nothing follows end
in a delimiter, which is in the last eight bytes that ingest keeps anyway. Only what has elements
behind its pixels is walked, header by header, and only a deflated data set is run through.
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from apps.archive.incoming import Staged
from apps.archive.storage import storage_named
from apps.studies.errors import TruncatedDataSetError
from apps.studies.header import (
    UNDEFINED,
    ByteSpan,
    Element,
    HeaderError,
    TruncatedError,
    end_of_sequence,
    scan,
)

DELIMITER = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
CHUNK = 1 << 20
BLOCK = 256 * 1024
JUMP = 16 * 1024


def check_pixels_whole(pixel: Element, staged: Staged, data: ByteSpan, *, explicit: bool) -> None:
    """Refuse a data set that ends within its pixel data, or within what follows it.

    Fragments that end at the end of an item without a delimiter are whole enough to be shown: they
    pass, as what some makers write. So does what is not in fragments at all though it says so.

    Args:
        pixel: where pixel data lies.
        staged: the object.
        data: the whole data set; looked into only where the last bytes do not tell.
        explicit: whether its elements carry their VRs.

    Raises:
        TruncatedDataSetError: so.

    Source: PS3.5 7.1.1, A.4.
    """
    if pixel.length == UNDEFINED:
        if staged.tail == DELIMITER:
            return
        try:
            end = end_of_sequence(data, pixel.value, explicit=explicit, delimited=False)
        except TruncatedError as error:
            raise _truncated(staged, "within the fragments") from error
        except HeaderError:
            return
    else:
        end = pixel.end
        if end > staged.dataset_bytes:
            raise _truncated(staged, f"{end - staged.dataset_bytes:,} bytes early", expected=end)
    if end < staged.dataset_bytes and not _is_whole_from(data, end, explicit=explicit):
        raise _truncated(staged, "within an element behind the pixels")


def check_inflates(staged: Staged) -> None:
    """Refuse a deflated data set whose stream has no end.

    Raises:
        TruncatedDataSetError: so.

    Source: PS3.5 A.5, RFC 1951.
    """
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for chunk in _chunks(staged):
            rest = chunk
            while rest and not inflate.eof:
                inflate.decompress(rest, CHUNK)
                rest = inflate.unconsumed_tail
    except zlib.error as error:
        raise _truncated(staged, "in a deflated stream that is broken") from error
    if not inflate.eof:
        raise _truncated(staged, "within the deflated stream")


def check_big_endian_whole(source: BinaryIO, staged: Staged) -> None:
    """Refuse a big endian object that ends within its native pixel data.

    Args:
        source: the file, read up to pixel data.
        staged: the object.

    Raises:
        TruncatedDataSetError: so.

    Source: PS3.5 A.3.
    """
    element = source.read(12)
    if len(element) == 12 and element[:2] == b"\x7f\xe0":
        expected = source.tell() + int.from_bytes(element[8:], "big")
        if expected > staged.size_bytes:
            raise _truncated(staged, f"{expected - staged.size_bytes:,} bytes early")


def _chunks(staged: Staged) -> Iterator[bytes]:
    storage = storage_named(staged.storage)
    return iter(storage.open(staged.key, staged.dataset_offset, staged.dataset_bytes))


def _is_whole_from(data: ByteSpan, start: int, *, explicit: bool) -> bool:
    """Tell whether the elements from an offset on end where the data set does.

    Bytes that are no element at all, such as zeros up to a block's end, are left alone.
    """
    if not any(data[start : start + 8]):
        return True
    try:
        return scan(_From(data, start), explicit=explicit).complete
    except HeaderError:
        return True


def whole(staged: Staged) -> ByteSpan:
    """Return the data set so that little of it is read: the head where it is all, else ranges."""
    return staged.head if staged.dataset_bytes == len(staged.head) else _Ranges(staged)


class _Ranges:
    """The bytes of an object, read a block at a time: where it is walked on, or jumped about in."""

    def __init__(self, staged: Staged) -> None:
        self._staged = staged
        self._storage = storage_named(staged.storage)
        self._block, self._at = staged.head, 0

    def __len__(self) -> int:
        return self._staged.dataset_bytes

    def __getitem__(self, span: slice, /) -> bytes:
        start, stop = span.start, min(span.stop, len(self))
        if stop <= start:
            return b""
        end = self._at + len(self._block)
        if not (self._at <= start and stop <= end):
            block = BLOCK if self._at <= start <= end else JUMP
            length = min(max(stop - start, block), len(self) - start)
            offset = self._staged.dataset_offset + start
            self._block = self._storage.read(self._staged.key, offset, length)
            self._at = start
        return self._block[start - self._at : stop - self._at]


class _From:
    """A span from an offset on."""

    def __init__(self, data: ByteSpan, start: int) -> None:
        self._data, self._start = data, start

    def __len__(self) -> int:
        return len(self._data) - self._start

    def __getitem__(self, span: slice, /) -> bytes:
        return self._data[self._start + span.start : self._start + span.stop]


def _truncated(staged: Staged, where: str, *, expected: int | None = None) -> TruncatedDataSetError:
    return TruncatedDataSetError(
        sop_instance_uid=staged.sop_instance_uid,
        reason=f"it ends {where}",
        expected_bytes=expected,
        received_bytes=staged.dataset_bytes,
    )
