"""What pydicom's plug-ins do not decode, and which stored streams have lost something."""

import zlib

import imagecodecs
import numpy as np
from pydicom import Dataset

JPEG_XL = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (110, 111, 112))
JPEG_BEYOND_PYDICOM = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (51, 53, 55))
DEFLATED_FRAME = "1.2.840.10008.1.2.8.1"
VIDEO = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109)) | frozenset(
    f"1.2.840.10008.1.2.4.{number}.1" for number in range(100, 107)
)
_ALWAYS_LOSSY = {
    "1.2.840.10008.1.2.4.50": "ISO_10918_1",
    "1.2.840.10008.1.2.4.51": "ISO_10918_1",
    "1.2.840.10008.1.2.4.53": "ISO_10918_1",
    "1.2.840.10008.1.2.4.55": "ISO_10918_1",
    "1.2.840.10008.1.2.4.81": "ISO_14495_1",
}
_WAVELET = {
    "1.2.840.10008.1.2.4.91": "ISO_15444_1",
    "1.2.840.10008.1.2.4.93": "ISO_15444_2",
    "1.2.840.10008.1.2.4.203": "ISO_15444_15",
}


def is_beyond_pydicom(transfer_syntax_uid: str, ds: Dataset) -> bool:
    """Tell whether `decode_beyond` is what decodes frames of this object."""
    if transfer_syntax_uid in JPEG_BEYOND_PYDICOM:
        return int(ds.get("BitsStored", 8)) > 8
    return transfer_syntax_uid in JPEG_XL or transfer_syntax_uid == DEFLATED_FRAME


def decode_beyond(transfer_syntax_uid: str, stored: bytes) -> np.ndarray | bytes:
    """Decode one frame: an array of samples, or for deflated frames the native bytes.

    Raises:
        RuntimeError: no such stream.
        zlib.error: no deflated frame.
    """
    if transfer_syntax_uid in JPEG_XL:
        return imagecodecs.jpegxl_decode(stored)
    if transfer_syntax_uid == DEFLATED_FRAME:
        return zlib.decompress(stored, -zlib.MAX_WBITS)
    return imagecodecs.jpeg_decode(stored)


def lossy_method(transfer_syntax_uid: str, stored: bytes) -> str:
    """Return the method (0028,2114) by which a stream has lost something; empty where it has not.

    A wavelet stream has where its transformation is not reversible.

    Source: PS3.3 C.7.6.1.1.5; ISO/IEC 15444-1 A.6.1 (COD).
    """
    if transfer_syntax_uid in _ALWAYS_LOSSY:
        return _ALWAYS_LOSSY[transfer_syntax_uid]
    at = stored.find(b"\xff\x52")
    if transfer_syntax_uid in _WAVELET and at >= 0 and stored[at + 13 : at + 14] == b"\0":
        return _WAVELET[transfer_syntax_uid]
    return ""
