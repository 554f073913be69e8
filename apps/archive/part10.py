"""The file around a data set: preamble and group 2, of our making (PS3.10 7.1)."""

import struct
import zlib
from dataclasses import dataclass

from apps.core.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

PREAMBLE = bytes(128) + b"DICM"
SOP_CLASS_UID, SOP_INSTANCE_UID = (0x0008, 0x0016), (0x0008, 0x0018)
IMPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95"})
LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"UN", b"UT"))


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
        if vr in LONG_VRS:
            if position + 12 > len(head):
                return None
            length, start = struct.unpack_from("<I", head, position + 8)[0], position + 12
        values[element] = head[start : start + length]
        position = start + length
    return None


def uids_within(data_set: bytes, transfer_syntax_uid: str) -> tuple[str, str]:
    """Read SOP Class and SOP Instance UID from a data set's beginning; empty where they are not.

    A data set is what it says itself: files exist whose group 2 was taken over from another.

    Source: PS3.5 7.1, A.1 to A.5.
    """
    if transfer_syntax_uid in DEFLATED:
        try:
            data_set = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data_set, 4096)
        except zlib.error:
            return "", ""
    order = ">" if transfer_syntax_uid == BIG_ENDIAN else "<"
    found: dict[tuple[int, int], str] = {}
    position = 0
    while position + 12 <= len(data_set):
        tag = struct.unpack_from(f"{order}HH", data_set, position)
        if tag > SOP_INSTANCE_UID:
            break
        start = position + 8
        if transfer_syntax_uid == IMPLICIT:
            [length] = struct.unpack_from("<I", data_set, position + 4)
        elif data_set[position + 4 : position + 6] in LONG_VRS:
            [length] = struct.unpack_from(f"{order}I", data_set, position + 8)
            start += 4
        else:
            [length] = struct.unpack_from(f"{order}H", data_set, position + 6)
        if start + length > len(data_set):
            break
        found[tag] = data_set[start : start + length].decode("ascii", "replace").strip("\0 ")
        position = start + length
    return found.get(SOP_CLASS_UID, ""), found.get(SOP_INSTANCE_UID, "")
