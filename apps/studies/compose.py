"""One object out of its metadata and its bulk data, streamed to the archive.

The object is the same as the one that would have come as a file: explicit VR little endian, or the
compressed transfer syntax of its pixel data. Bulk data, of any size, passes in chunks.

Source: PS3.18 10.5, 8.7.3, F.2; PS3.5 7.1.2, 7.5, A.4.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from apps.archive.incoming import IncomingObject, Staged
from apps.core.errors import DomainError
from apps.studies.header import ITEM, ITEM_END, LONG_VRS, PIXEL_DATA, SEQUENCE_END, UNDEFINED
from apps.studies.json_values import MetadataError, is_ascii, value_bytes, vr_of

LONGEST = UNDEFINED - 1
DEEPEST = 64
SOP_CLASS_UID, SOP_INSTANCE_UID = "00080016", "00080018"
CHARACTER_SET = 0x00080005
PLAIN = frozenset({"", str(ImplicitVRLittleEndian), str(ExplicitVRLittleEndian)})
UNTAKEN = frozenset({str(ExplicitVRBigEndian), str(DeflatedExplicitVRLittleEndian)})
RETRIEVAL = frozenset({0x00081190, 0x00083002})
"""Retrieve URL and Available Transfer Syntax UID: of an answer, not of the object."""


class BulkMissingError(DomainError):
    """The metadata points to bulk data that the request does not hold."""

    code = "studies.bulk-missing"
    message = "A BulkDataURI names no part of the request. The instance was not kept."


class BulkSyntaxError(DomainError):
    """The pixel data came in a form that is no transfer syntax of DICOM."""

    code = "studies.bulk-syntax"
    message = "The pixel data is in no transfer syntax that objects have. It was not kept."


class Bulk(Protocol):
    """A value that came beside the metadata."""

    @property
    def length(self) -> int:
        """Bytes."""
        ...

    @property
    def transfer_syntax_uid(self) -> str:
        """What it is encoded in; empty where it is plain little endian."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """Yield the value."""
        ...


class BulkSource(Protocol):
    """Finds bulk data by address."""

    def named(self, uri: str) -> Sequence[Bulk]:
        """Return the parts under the address, one for each frame where it is split; maybe none."""
        ...


def compose(metadata: Mapping[str, Any], bulk: BulkSource) -> Staged:
    """Write an instance to the archive.

    Args:
        metadata: its data set in the DICOM JSON model.
        bulk: what its `BulkDataURI`s name.

    Raises:
        MetadataError: the metadata is no data set.
        BulkMissingError: bulk data is missing.
        BulkSyntaxError: compressed pixel data in no transfer syntax.
        StorageError: the archive could not take it; what came is removed.
    """
    syntax = _transfer_syntax(metadata, bulk)
    incoming = IncomingObject(
        sop_class_uid=uid_in(metadata, SOP_CLASS_UID),
        sop_instance_uid=uid_in(metadata, SOP_INSTANCE_UID),
        transfer_syntax_uid=syntax,
    )
    try:
        _Writer(incoming, bulk, _encoding(metadata)).data_set(metadata)
        return incoming.finish()
    except BaseException:
        incoming.discard()
        raise


def uid_in(metadata: Mapping[str, Any], tag: str) -> str:
    """Return a UID of the metadata; empty where there is none."""
    element = metadata.get(tag)
    values = element.get("Value") if isinstance(element, Mapping) else None
    return values[0] if isinstance(values, list) and values and isinstance(values[0], str) else ""


def _transfer_syntax(metadata: Mapping[str, Any], bulk: BulkSource) -> str:
    """Return the transfer syntax of the object: that of its pixel data (PS3.18 8.7.3.3)."""
    element = metadata.get(f"{PIXEL_DATA:08X}")
    uri = element.get("BulkDataURI") if isinstance(element, Mapping) else None
    found = {one.transfer_syntax_uid for one in bulk.named(uri)} if isinstance(uri, str) else set()
    if len(found) > 1:
        message = "The frames are in several transfer syntaxes. The instance was not kept."
        raise BulkSyntaxError(message)
    syntax = found.pop() if found else ""
    if syntax in PLAIN:
        return str(ExplicitVRLittleEndian)
    if syntax in UNTAKEN or not UID(syntax).is_valid:
        raise BulkSyntaxError
    return syntax


def _encoding(metadata: Mapping[str, Any]) -> str:
    """Say the character set: texts beyond ASCII came in UTF-8 and stay in it (PS3.18 F.2)."""
    return "ascii" if is_ascii(metadata) else "utf-8"


@dataclass
class _Writer:
    incoming: IncomingObject
    bulk: BulkSource
    encoding: str

    def data_set(self, items: Mapping[str, Any], depth: int = 0) -> None:
        if depth > DEEPEST:
            message = "Sequences are nested too deep. The instance was not kept."
            raise MetadataError(message)
        elements = _sorted(items)
        if self.encoding == "utf-8":
            elements.pop(CHARACTER_SET, None)
            if depth == 0:
                elements[CHARACTER_SET] = {"vr": "CS", "Value": ["ISO_IR 192"]}
        for tag in sorted(elements):
            self._element(tag, elements[tag], depth)

    def _element(self, tag: int, element: Mapping[str, Any], depth: int) -> None:
        vr = vr_of(tag, element)
        if vr == "SQ":
            self._sequence(tag, element, depth)
        elif "BulkDataURI" in element:
            self._bulk(tag, vr, element["BulkDataURI"])
        else:
            value = value_bytes(tag, vr, element, self.encoding)
            self.incoming.write(_opening(tag, vr, len(value)) + value)

    def _sequence(self, tag: int, element: Mapping[str, Any], depth: int) -> None:
        items = element.get("Value") or []
        if not isinstance(items, list) or not all(
            isinstance(item, Mapping) or item is None for item in items
        ):
            message = f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is no sequence. It was not kept."
            raise MetadataError(message)
        if not items:
            self.incoming.write(_opening(tag, "SQ", 0))
            return
        self.incoming.write(_opening(tag, "SQ", UNDEFINED))
        for item in items:
            self.incoming.write(_delimiter(ITEM, UNDEFINED))
            self.data_set(item or {}, depth + 1)
            self.incoming.write(_delimiter(ITEM_END))
        self.incoming.write(_delimiter(SEQUENCE_END))

    def _bulk(self, tag: int, vr: str, uri: object) -> None:
        parts = self.bulk.named(str(uri[0] if isinstance(uri, list) and uri else uri))
        if not parts:
            raise BulkMissingError(uri=str(uri))
        if tag == PIXEL_DATA and parts[0].transfer_syntax_uid not in PLAIN:
            self._fragments(parts)
            return
        length = sum(part.length for part in parts)
        self.incoming.write(_opening(tag, vr, length + length % 2))
        for part in parts:
            self._copy(part)
        self.incoming.write(bytes(length % 2))

    def _fragments(self, frames: Sequence[Bulk]) -> None:
        """Write each frame as one fragment, after an empty offset table."""
        self.incoming.write(_opening(PIXEL_DATA, "OB", UNDEFINED) + _delimiter(ITEM))
        for frame in frames:
            length = frame.length + frame.length % 2
            if length > LONGEST:
                message = "A frame is longer than an item may be. The instance was not kept."
                raise MetadataError(message)
            self.incoming.write(_delimiter(ITEM, length))
            self._copy(frame)
            self.incoming.write(bytes(frame.length % 2))
        self.incoming.write(_delimiter(SEQUENCE_END))

    def _copy(self, bulk: Bulk) -> None:
        for chunk in bulk.chunks():
            self.incoming.write(chunk)


def _sorted(items: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """Return the elements that belong in an object, by tag."""
    elements = {}
    for name, element in items.items():
        try:
            tag = int(name, 16)
        except ValueError:
            tag = -1
        if len(name) != 8 or tag < 0:
            message = f"{name[:20]!r} is no tag. The instance was not kept."
            raise MetadataError(message)
        if tag >> 16 > 0x0002 and tag & 0xFFFF and tag not in RETRIEVAL:
            elements[tag] = element
    return elements


def _opening(tag: int, vr: str, length: int) -> bytes:
    code = vr.encode()
    if length > LONGEST and length != UNDEFINED:
        message = f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is longer than an element may be."
        raise MetadataError(message)
    if code not in LONG_VRS:
        if length <= 0xFFFE:
            return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, code, length)
        code = b"UN"  # PS3.5 6.2.2, note 7: what does not fit its VR's length
    return struct.pack("<HH2s2xI", tag >> 16, tag & 0xFFFF, code, length)


def _delimiter(tag: int, length: int = 0) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, length)
