"""Reading a data set's top level without building it.

`scan` walks the elements of a data set once and notes where each begins and ends; values are
decoded only where somebody asks. It never looks into pixel data, whose place it tells. What it
does not understand (big endian, deflated, a broken sequence) is left to pydicom by the caller.

Source: PS3.5 7.1, 7.5, A.1, A.2.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from pydicom.datadict import dictionary_VR
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from apps.core.character_sets import decode_text, terms_of

LONG_VRS = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR"}
) | {
    b"UT",
    b"UV",
}
UNDEFINED = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_END = 0xFFFEE00D
SEQUENCE_END = 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010
PIXEL_TAGS = frozenset({PIXEL_DATA, 0x7FE00008, 0x7FE00009})
SPECIFIC_CHARACTER_SET = 0x00080005
ENCODED_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_EXPLICIT = struct.Struct("<HH2sH")
_IMPLICIT = struct.Struct("<HHI")
_LONG = struct.Struct("<I")


class ByteSpan(Protocol):
    """Bytes, or what gives bytes for slices, such as a mapped file of gigabytes."""

    def __len__(self) -> int: ...

    def __getitem__(self, span: slice, /) -> bytes: ...


class HeaderError(ValueError):
    """The bytes are not a data set as the transfer syntax says."""


class TruncatedError(HeaderError):
    """The bytes end inside an element."""


@dataclass(slots=True)
class Element:
    """Where one top-level element lies in the data set.

    Attributes:
        start: offset of its tag.
        value: offset of its value.
        length: of the value in bytes; `UNDEFINED` for encapsulated pixel data, whose end is not
            looked for.
    """

    tag: int
    vr: str
    start: int
    value: int
    length: int

    @property
    def end(self) -> int:
        """Offset behind the element."""
        return self.value + self.length


@dataclass(slots=True)
class Header:
    """The top level of a data set, up to pixel data or the end of what was given."""

    data: ByteSpan
    elements: dict[int, Element] = field(default_factory=dict)
    pixel: Element | None = None
    complete: bool = False
    inherited_terms: tuple[str, ...] | None = None
    _texts: dict[int, str] = field(default_factory=dict)

    def raw(self, tag: int) -> bytes | None:
        """Return the value's bytes, or None where the element is absent."""
        element = self.elements.get(tag)
        if element is None or element.vr == "SQ":
            return None
        return self.data[element.value : element.value + element.length]

    def text(self, tag: int) -> str:
        """Return the value as text, all its values and component groups, without padding."""
        known = self._texts.get(tag)
        if known is None:
            known = self._texts[tag] = self._text(tag)
        return known

    def _text(self, tag: int) -> str:
        raw = self.raw(tag)
        if not raw:
            return ""
        vr = self.elements[tag].vr
        if vr in ENCODED_VRS or (vr == "UN" and dictionary_vr(tag) in ENCODED_VRS):
            person = dictionary_vr(tag) == "PN"
            text = decode_text(raw, self.terms, person=person)
        else:
            text = raw.decode("ascii", "replace")
        return text.replace("\0", "").strip(" ")

    def first(self, tag: int, limit: int = 64) -> str:
        """Return the first value as text, at most `limit` characters."""
        return self.text(tag).partition("\\")[0].strip()[:limit]

    def integer(self, tag: int) -> int | None:
        """Return a US, UL or IS value; None where it is absent or no number."""
        raw = self.raw(tag)
        if not raw:
            return None
        vr = self.elements[tag].vr
        if vr == "UN":
            vr = dictionary_vr(tag)
        if vr == "US" and len(raw) >= 2:
            return int.from_bytes(raw[:2], "little")
        if vr == "UL" and len(raw) >= 4:
            return int.from_bytes(raw[:4], "little")
        try:
            return int(self.first(tag))
        except ValueError:
            return None

    def items(self, tag: int) -> Iterator["Header"]:
        """Yield the items of a sequence as headers of their own."""
        element = self.elements.get(tag)
        if element is None or element.vr != "SQ":
            return
        body = self.data[element.value : element.end]
        explicit = self.elements[tag].vr == "SQ" and _is_explicit(self)
        position = 0
        while position + 8 <= len(body):
            group, number, length = _IMPLICIT.unpack(body[position : position + 8])
            if group << 16 | number != ITEM:
                return
            start = position + 8
            end = (
                _end_of_item(body, start, explicit=explicit)
                if length == UNDEFINED
                else start + length
            )
            item = scan(body[start:end], explicit=explicit)
            item.inherited_terms = self.terms
            yield item
            position = end + (8 if length == UNDEFINED else 0)

    @property
    def terms(self) -> tuple[str, ...]:
        """Defined terms of Specific Character Set (0008,0005)."""
        raw = self.raw(SPECIFIC_CHARACTER_SET)
        if raw is None and self.inherited_terms is not None:
            return self.inherited_terms
        return terms_of(raw.decode("ascii", "replace") if raw else "")


def dictionary_vr(tag: int) -> str:
    """Return the VR that the data dictionary gives; UN for what it does not know."""
    try:
        return dictionary_VR(tag)[:2]
    except KeyError:
        return "UN"


def can_scan(transfer_syntax_uid: str) -> bool:
    """Tell whether `scan` reads this transfer syntax."""
    return transfer_syntax_uid not in (ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)


def is_explicit(transfer_syntax_uid: str) -> bool:
    """Tell whether data sets of the transfer syntax carry their VRs."""
    return transfer_syntax_uid != ImplicitVRLittleEndian


def scan(data: ByteSpan, *, explicit: bool) -> Header:
    """Walk the top level of a little endian data set.

    Args:
        data: the data set or its beginning.
        explicit: whether VRs are carried.

    Returns:
        The header. `complete` is False where `data` ended before pixel data or the data set's end
        could be told apart; the elements until there are whole.

    Raises:
        HeaderError: this is no data set.
    """
    header = Header(data)
    position, size, last = 0, len(data), -1
    while position + 8 <= size:
        tag, vr, value, length = _element_at(data, position, explicit=explicit)
        if tag <= last:
            message = f"element ({tag >> 16:04X},{tag & 0xFFFF:04X}) stands out of order"
            raise HeaderError(message)
        last = tag
        element = Element(tag, vr, position, value, length)
        if tag in PIXEL_TAGS:
            header.pixel = element
            header.complete = True
            return header
        if length == UNDEFINED:
            try:
                end = end_of_sequence(data, value, explicit=explicit and vr != "UN")
            except TruncatedError:
                return header
            element.length, element.vr = end - value, "SQ"
        end = value + element.length
        if end > size:
            return header
        header.elements[tag] = element
        position = end
    header.complete = position == size
    return header


def _is_explicit(header: Header) -> bool:
    for element in header.elements.values():
        if element.start + 6 <= len(header.data):
            return header.data[element.start + 4 : element.start + 6] == element.vr.encode()
    return True


def _element_at(data: ByteSpan, position: int, *, explicit: bool) -> tuple[int, str, int, int]:
    if not explicit:
        group, number, length = _IMPLICIT.unpack(data[position : position + 8])
        tag = group << 16 | number
        return tag, dictionary_vr(tag), position + 8, length
    group, number, code, short = _EXPLICIT.unpack(data[position : position + 8])
    tag = group << 16 | number
    if group == 0xFFFE:
        return tag, "", position + 8, _LONG.unpack(data[position + 4 : position + 8])[0]
    if not (code.isalpha() and code.isupper()):
        message = f"({group:04X},{number:04X}) has no VR"
        raise HeaderError(message)
    if code not in LONG_VRS:
        return tag, code.decode(), position + 8, short
    if position + 12 > len(data):
        return tag, code.decode(), position + 12, len(data)
    return tag, code.decode(), position + 12, _LONG.unpack(data[position + 8 : position + 12])[0]


def end_of_sequence(
    data: ByteSpan, position: int, *, explicit: bool, delimited: bool = True
) -> int:
    """Return the offset behind the delimiter of a sequence, or fragments, of undefined length.

    Args:
        data: the data set.
        position: where its first item begins.
        explicit: whether elements carry their VRs.
        delimited: whether the delimiter must be there; if not, the data may end with an item.

    Raises:
        TruncatedError: the data ends before.
        HeaderError: something stands there that is no item.
    """
    while position + 8 <= len(data):
        group, number, length = _IMPLICIT.unpack(data[position : position + 8])
        tag = group << 16 | number
        position += 8
        if tag == SEQUENCE_END:
            return position
        if tag != ITEM:
            message = f"({group:04X},{number:04X}) stands where an item should"
            raise HeaderError(message)
        if length == UNDEFINED:
            position = _end_of_item(data, position, explicit=explicit) + 8
        else:
            position += length
    if not delimited and position == len(data):
        return position
    raise TruncatedError


def _end_of_item(data: ByteSpan, position: int, *, explicit: bool) -> int:
    """Return the offset of the delimiter of an item of undefined length."""
    while position + 8 <= len(data):
        tag, vr, value, length = _element_at(data, position, explicit=explicit)
        if tag == ITEM_END:
            return position
        if length == UNDEFINED:
            position = end_of_sequence(data, value, explicit=explicit and vr != "UN")
        else:
            position = value + length
    raise TruncatedError
