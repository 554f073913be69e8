"""The file around a data set: preamble and group 2, of our making (PS3.10 7.1)."""

import struct
from dataclasses import dataclass

from apps.core.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

PREAMBLE = bytes(128) + b"DICM"


def file_header(
    *,
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax_uid: str,
    source_ae_title: str = "",
) -> bytes:
    """Return preamble, prefix and file meta information, ready for the data set to follow."""
    elements = [
        _element(0x0001, b"OB", b"\x00\x01"),
        _element(0x0002, b"UI", _uid(sop_class_uid)),
        _element(0x0003, b"UI", _uid(sop_instance_uid)),
        _element(0x0010, b"UI", _uid(transfer_syntax_uid)),
        _element(0x0012, b"UI", _uid(IMPLEMENTATION_CLASS_UID)),
        _element(0x0013, b"SH", _text(IMPLEMENTATION_VERSION_NAME)),
    ]
    if source_ae_title:
        elements.append(_element(0x0016, b"AE", _text(source_ae_title)))
    group = b"".join(elements)
    return PREAMBLE + _element(0x0000, b"UL", struct.pack("<I", len(group))) + group


def _element(element: int, vr: bytes, value: bytes) -> bytes:
    if vr == b"OB":
        return struct.pack("<HH2s2xI", 0x0002, element, vr, len(value)) + value
    return struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value


def _uid(text: str) -> bytes:
    value = text.encode("ascii", "replace")
    return value + b"\0" * (len(value) % 2)


def _text(text: str) -> bytes:
    value = text.encode("ascii", "replace")
    return value + b" " * (len(value) % 2)


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What a Part 10 file says of the data set in it, and where that begins."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset_offset: int


def read_file_meta(head: bytes) -> FileMeta | None:
    """Read preamble and group 2 from a file's beginning.

    Returns:
        None where this is no Part 10 file, or group 2 does not end within `head`.

    Source: PS3.10 7.1. Group 2 is walked to its end, since its length is sometimes wrong.
    """
    if head[128:132] != b"DICM":
        return None
    values: dict[int, bytes] = {}
    position = 132
    while position + 8 <= len(head):
        group, element, vr, length = struct.unpack_from("<HH2sH", head, position)
        if group != 0x0002:
            texts = {n: v.decode("ascii", "replace").strip("\0 ") for n, v in values.items()}
            if not texts.get(0x0010):
                return None
            return FileMeta(texts.get(0x0002, ""), texts.get(0x0003, ""), texts[0x0010], position)
        start = position + 8
        if vr in (b"OB", b"UN", b"OW", b"SQ", b"UT"):
            if position + 12 > len(head):
                return None
            length, start = struct.unpack_from("<I", head, position + 8)[0], position + 12
        values[element] = head[start : start + length]
        position = start + length
    return None
