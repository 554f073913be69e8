"""Giving an instance in another transfer syntax, where the peer does not take the stored one."""

import zlib

import numpy as np
from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from apps.archive.part10 import file_header
from apps.studies.codecs import VIDEO, decode_beyond, is_beyond_pydicom, lossy_method
from apps.studies.errors import TransferSyntaxError
from apps.studies.identity import Identity
from apps.studies.retrieve.frames import stored_frames
from apps.studies.retrieve.outgoing import encoded, read_dataset
from apps.studies.retrieve.select import Item

TARGETS = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))
PIXEL_DATA = 0x7FE00010
_UNDECODABLE = (NotImplementedError, RuntimeError, ValueError, AttributeError, KeyError)


def transcoded_dataset(item: Item, transfer_syntax_uid: str, identity: Identity | None) -> bytes:
    """Return the data set decompressed, in explicit or implicit VR little endian.

    Private and other elements are kept, the SOP Instance UID too: decompression loses nothing.
    Where the stored stream had lost something already, the data set says so afterwards, for nothing
    else would (PS3.3 C.7.6.1.1.5: 01 stays 01).

    Raises:
        TransferSyntaxError: the target is none of `TARGETS`, or nothing here decodes the
            stored one.
    """
    if transfer_syntax_uid not in TARGETS:
        raise TransferSyntaxError(asked=transfer_syntax_uid, stored=item.transfer_syntax_uid)
    ds = read_dataset(item, identity)
    if item.pixel_offset is not None and item.pixel_length is None:
        try:
            _decompress(item, ds)
        except (*_UNDECODABLE, zlib.error) as error:
            raise TransferSyntaxError(
                asked=transfer_syntax_uid, stored=item.transfer_syntax_uid, reason=str(error)
            ) from error
    elif ds.file_meta.TransferSyntaxUID == ExplicitVRBigEndian:
        _swap_words(ds)
    return encoded(ds, UID(transfer_syntax_uid))


def can_transcode(item: Item, transfer_syntax_uid: str) -> bool:
    """Tell whether `transcoded_dataset` has a decoder for the object, by its transfer syntax."""
    if transfer_syntax_uid not in TARGETS:
        return False
    return item.pixel_offset is None or item.transfer_syntax_uid not in VIDEO


def _decompress(item: Item, ds: Dataset) -> None:
    syntax = item.transfer_syntax_uid
    [first] = stored_frames(item, [1])
    stored_bytes = item.size_bytes - (item.pixel_offset or 0)
    if is_beyond_pydicom(syntax, ds):
        frames = [_native_bytes(item, ds, number) for number in range(1, item.frames + 1)]
        pixels = b"".join(frames)
        ds.PixelData = pixels + b"\0" * (len(pixels) % 2)
        ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
        ds["PixelData"].is_undefined_length = False
    else:
        ds.decompress(as_rgb=False, generate_instance_uid=False)
    method = lossy_method(syntax, first)
    if method and ds.get("LossyImageCompression") != "01":
        ds.LossyImageCompression = "01"
        ratio = max(len(ds.PixelData) / stored_bytes, 1.0)
        _append(ds, "LossyImageCompressionRatio", f"{ratio:.2f}")
        _append(ds, "LossyImageCompressionMethod", method)


def _native_bytes(item: Item, ds: Dataset, number: int) -> bytes:
    [stored] = stored_frames(item, [number])
    decoded = decode_beyond(item.transfer_syntax_uid, stored)
    if isinstance(decoded, bytes):
        return decoded
    if ds.get("SamplesPerPixel", 1) > 1:
        ds.PlanarConfiguration = 0
    wide = np.dtype(f"<u{int(ds.BitsAllocated) // 8}")
    return decoded.astype(wide, copy=False).tobytes()


def _append(ds: Dataset, keyword: str, value: str) -> None:
    known = ds.get(keyword)
    values = list(known) if isinstance(known, MultiValue) else [known] if known else []
    setattr(ds, keyword, [*values, value])


def _swap_words(ds: Dataset) -> None:
    """Turn what pydicom keeps as big endian words, such as pixels and LUTs, to little endian."""
    for element in ds.iterall():
        if element.VR != "OW" or not isinstance(element.value, bytes):
            continue
        wide = int(ds.get("BitsAllocated", 16)) if element.tag == PIXEL_DATA else 16
        words = np.frombuffer(element.value, np.dtype(f">u{max(wide, 16) // 8}"))
        element.value = words.astype(words.dtype.newbyteorder("<")).tobytes()


def transcoded_part10(item: Item, transfer_syntax_uid: str, identity: Identity | None) -> bytes:
    """Return `transcoded_dataset` as a Part 10 file."""
    body = transcoded_dataset(item, transfer_syntax_uid, identity)
    header = file_header(
        sop_class_uid=item.sop_class_uid,
        sop_instance_uid=item.sop_instance_uid,
        transfer_syntax_uid=transfer_syntax_uid,
    )
    return header + body
