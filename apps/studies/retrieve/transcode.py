"""Giving an instance in another transfer syntax, where the peer does not take the stored one.

Frame by frame: what is in memory is one frame, and the first 4 MB of what goes out, so that nothing
is begun of most of what does not decode.
"""

import struct
import zlib
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.multival import MultiValue
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from apps.archive.part10 import file_header
from apps.archive.reading import read
from apps.core.errors import NotFoundError
from apps.studies.codecs import VIDEO, decode_beyond, is_beyond_pydicom, lossy_method
from apps.studies.dicom_json import WORD_BYTES, little_endian
from apps.studies.errors import TransferSyntaxError
from apps.studies.header import PIXEL_DATA
from apps.studies.identity import Identity
from apps.studies.retrieve.frames import NATIVE, SWAPPED, PixelBytes, stored_frames
from apps.studies.retrieve.outgoing import encoded, read_behind, read_header, read_whole
from apps.studies.retrieve.select import Item

TARGETS = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))
AT_ONCE_BYTES = 4 << 20
AS_STORED: dict[str, Any] = {"as_rgb": False}
LONGEST_VALUE = 0xFFFFFFFE
_UNDECODABLE = (NotImplementedError, RuntimeError, ValueError, AttributeError, KeyError, zlib.error)
_PIXEL_MODULE = (
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
)  # fmt: skip


def transcoded_dataset(
    item: Item, transfer_syntax_uid: str, identity: Identity | None
) -> Iterator[bytes]:
    """Return the data set decompressed, in explicit or implicit VR little endian, in chunks.

    Private and other elements are kept, the SOP Instance UID too: decompression loses nothing.
    Where the stored stream had lost something already, the data set says so afterwards, for nothing
    else would (PS3.3 C.7.6.1.1.5: 01 stays 01).

    Raises:
        TransferSyntaxError: the target is none of `TARGETS`, nothing here decodes the stored one,
            or its pixels are more than a native value may hold (PS3.5 7.1.1). At once, where that
            shows in the first 4 MB; else from the iterator.
    """
    if transfer_syntax_uid not in TARGETS:
        raise TransferSyntaxError(asked=transfer_syntax_uid, stored=item.transfer_syntax_uid)
    return _begun(_chunks(item, UID(transfer_syntax_uid), identity))


def transcoded_part10(
    item: Item, transfer_syntax_uid: str, identity: Identity | None
) -> Iterator[bytes]:
    """Return `transcoded_dataset` as a Part 10 file, in chunks."""
    body = transcoded_dataset(item, transfer_syntax_uid, identity)
    header = file_header(
        sop_class_uid=item.sop_class_uid,
        sop_instance_uid=item.sop_instance_uid,
        transfer_syntax_uid=transfer_syntax_uid,
    )
    return chain((header,), body)


def can_transcode(item: Item, transfer_syntax_uid: str) -> bool:
    """Tell whether `transcoded_dataset` has a decoder for the object, by its transfer syntax."""
    if transfer_syntax_uid not in TARGETS:
        return False
    return item.pixel_offset is None or item.transfer_syntax_uid not in VIDEO


def _begun(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Take the first chunks, so that what fails early fails before anything is sent."""
    first: deque[bytes] = deque()
    size = 0
    for chunk in chunks:
        first.append(chunk)
        size += len(chunk)
        if size >= AT_ONCE_BYTES:
            break

    def given() -> Iterator[bytes]:
        while first:  # none is held longer than it has to be
            yield first.popleft()
        yield from chunks

    return given()


def _chunks(item: Item, syntax: UID, identity: Identity | None) -> Iterator[bytes]:
    if item.pixel_offset is None or item.transfer_syntax_uid in SWAPPED:
        yield _whole(item, syntax, identity)
        return
    ds = read_header(item, identity)
    pixels = PixelBytes(item)
    if item.pixel_length is None:
        frames, length = _decompressed(item, ds, syntax)
    else:
        frames, length = pixels.chunks(), len(pixels)
    yield encoded(ds, syntax)
    yield _pixel_head(item, ds, syntax, length + length % 2)
    yield from frames
    yield b"\0" * (length % 2)
    yield encoded(read_behind(item, pixels.end), syntax)


def _whole(item: Item, syntax: UID, identity: Identity | None) -> bytes:
    ds = read_whole(item, identity)
    if ds.file_meta.TransferSyntaxUID == ExplicitVRBigEndian:
        _swap_words(ds)
    return encoded(ds, syntax)


def _pixel_head(item: Item, ds: Dataset, syntax: UID, length: int) -> bytes:
    """Return the pixel data element up to its value. Source: PS3.5 7.1, A.1, A.2, 8.2."""
    element, vr = 0x0010, b"OW" if int(ds.get("BitsAllocated", 8)) > 8 else b"OB"
    if item.pixel_length is not None:
        stored = _stored_head(item)
        element = int.from_bytes(stored[2:4], "little")
        if item.transfer_syntax_uid == ExplicitVRLittleEndian:
            vr = stored[4:6]
        else:
            vr = {0x0008: b"OF", 0x0009: b"OD"}.get(element, b"OW")
    if syntax == ImplicitVRLittleEndian:
        return struct.pack("<HHI", 0x7FE0, element, length)
    return struct.pack("<HH2sHI", 0x7FE0, element, vr, 0, length)


def _stored_head(item: Item) -> bytes:
    size = 12 if item.transfer_syntax_uid == ExplicitVRLittleEndian else 8
    return read(item.copies, (item.pixel_offset or 0) - size, size)


def _decompressed(item: Item, ds: Dataset, syntax: UID) -> tuple[Iterator[bytes], int]:
    """Return the frames as native bytes, and how many bytes; `ds` says what decoding changes."""
    if item.transfer_syntax_uid in NATIVE:
        raise _refused(item, syntax, "its pixels are in fragments, though not compressed")
    stored = stored_frames(item, range(1, item.frames + 1))
    first = next(stored, b"")
    frames = _decoded(item, ds, syntax, chain((first,), stored))
    begin = next(frames)
    length = len(begin) * item.frames
    if length > LONGEST_VALUE:
        reason = f"{length:,} bytes of pixels are more than a native value may hold"
        raise _refused(item, syntax, reason)
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in ds:
            del ds[keyword]
    method = lossy_method(item.transfer_syntax_uid, first)
    if method and ds.get("LossyImageCompression") != "01":
        ds.LossyImageCompression = "01"
        stored_bytes = item.size_bytes - (item.pixel_offset or 0)
        ratio = max((length + length % 2) / stored_bytes, 1.0)
        _append(ds, "LossyImageCompressionRatio", f"{ratio:.2f}")
        _append(ds, "LossyImageCompressionMethod", method)
    return chain((begin,), frames), length


def _decoded(item: Item, ds: Dataset, syntax: UID, frames: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    while True:
        try:
            stored = next(frames, None)
            native = None if stored is None else _native(item, ds, stored)
        except (*_UNDECODABLE, NotFoundError) as error:
            raise _refused(item, syntax, error) from error
        if native is None:
            return
        size = size or len(native)
        if len(native) != size:
            raise _refused(item, syntax, "its frames differ in size")
        yield native


def _refused(item: Item, syntax: UID, reason: object) -> TransferSyntaxError:
    return TransferSyntaxError(
        asked=str(syntax), stored=item.transfer_syntax_uid, reason=str(reason)
    )


def _native(item: Item, ds: Dataset, stored: bytes) -> bytes:
    """Decode one frame; sets in `ds` what decoding changes of the pixels' description."""
    if is_beyond_pydicom(item.transfer_syntax_uid, ds):
        decoded = decode_beyond(item.transfer_syntax_uid, stored)
        if isinstance(decoded, bytes):
            return decoded
        if ds.get("SamplesPerPixel", 1) > 1:
            ds.PlanarConfiguration = 0
        wide = np.dtype(f"<u{int(ds.BitsAllocated) // 8}")
        return decoded.astype(wide, copy=False).tobytes()
    one = Dataset()
    for keyword in _PIXEL_MODULE:
        if keyword in ds:
            setattr(one, keyword, ds[keyword].value)
    one.file_meta = ds.file_meta
    one.PixelData = encapsulate([stored])
    one["PixelData"].is_undefined_length = True
    pixels, described = get_decoder(UID(item.transfer_syntax_uid)).as_array(one, **AS_STORED)
    ds.PhotometricInterpretation = described["photometric_interpretation"]
    if int(described["samples_per_pixel"]) > 1:
        ds.PlanarConfiguration = described["planar_configuration"]
    return pixels.tobytes()


def _append(ds: Dataset, keyword: str, value: str) -> None:
    known = ds.get(keyword)
    values = list(known) if isinstance(known, MultiValue) else [known] if known else []
    setattr(ds, keyword, [*values, value])


def _swap_words(ds: Dataset) -> None:
    """Turn what pydicom keeps as big endian words, such as pixels and LUTs, to little endian."""
    for element in ds.iterall():
        if element.VR not in WORD_BYTES or not isinstance(element.value, bytes):
            continue
        wide = int(ds.get("BitsAllocated", 16)) if element.tag == PIXEL_DATA else 0
        element.value = little_endian(element.VR, element.value, max(wide, 16) // 8 if wide else 0)
