"""Small data sets, read and written fast: identifiers, answers, performed steps.

A data set is a plain dict from tag to value, in tag order:

- text of any kind: `str`, several values joined by a backslash as they are on the wire;
- numbers: `int` or `float`, several as a list; AT: `int` tags;
- SQ: a list of data sets;
- everything else: `bytes`.

Objects never come this way: they are streamed. Little endian only, which is all we accept for
anything but storage.

Source: PS3.5 7.1 (elements), 7.5 (sequences), 6.1 (character sets).
"""

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_VR

from apps.core.character_sets import UTF8, decode_text, encode_text, is_supported, terms_of

DataSet = dict[int, Any]

SPECIFIC_CHARACTER_SET = 0x00080005
MAX_DEPTH = 32

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_MAX_SHORT_LENGTH = 0xFFFE
_TAG_LENGTH = struct.Struct("<HHI")
_EXPLICIT_SHORT = struct.Struct("<HH2sH")
_LONG_LENGTH = struct.Struct("<I")

_CHARSET_TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_PLAIN_TEXT = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_LONG_FORM = frozenset(
    {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
)
_LONG_FORM_BYTES = frozenset(vr.encode() for vr in _LONG_FORM)


class DataSetError(Exception):
    """The bytes are no data set."""


@lru_cache(maxsize=4096)
def vr_of(tag: int) -> str:
    """Return the VR the standard gives a tag; UN for what it does not know."""
    if tag & 0xFFFF == 0:
        return "UL"
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return "LO" if (tag >> 16) % 2 and 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    return vr[:2]


# -- read -------------------------------------------------------------------------------------


def decode(data: bytes, *, explicit: bool) -> DataSet:
    """Read a whole data set.

    Args:
        data: little endian bytes.
        explicit: whether VRs are in them.

    Raises:
        DataSetError: lengths that do not add up, or items nested more than 32 deep.
    """
    reader = _Reader(data, explicit)
    result, _ = reader.elements(0, len(data), terms_of(""), 0)
    return result


class _Reader:
    def __init__(self, data: bytes, explicit: bool) -> None:  # noqa: FBT001 - private
        self._data = data
        self._explicit = explicit

    def elements(
        self, offset: int, end: int, terms: tuple[str, ...], depth: int
    ) -> tuple[DataSet, int]:
        """Read elements up to `end` or the end of the item; return them and where they ended."""
        result: DataSet = {}
        while offset < end:
            tag, vr, length, offset = self._header(offset, end)
            if tag == _ITEM_END:
                break
            if vr == "SQ" or length == _UNDEFINED:
                result[tag], offset = self._sequence(offset, end, length, terms, depth + 1)
                continue
            if length > end - offset:
                message = f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is longer than what holds it"
                raise DataSetError(message)
            value = _value(vr, self._data[offset : offset + length], terms)
            result[tag] = value
            if tag == SPECIFIC_CHARACTER_SET:
                terms = terms_of(value)
            offset += length
        return result, offset

    def _header(self, offset: int, end: int) -> tuple[int, str, int, int]:
        data = self._data
        if end - offset < 8:
            message = "the data set ends inside an element"
            raise DataSetError(message)
        group, element, length = _TAG_LENGTH.unpack_from(data, offset)
        tag = group << 16 | element
        if group == 0xFFFE:
            return tag, "", length, offset + 8
        if not self._explicit:
            return tag, vr_of(tag), length, offset + 8
        _, _, raw, short = _EXPLICIT_SHORT.unpack_from(data, offset)
        if raw not in _LONG_FORM_BYTES:
            return tag, raw.decode("latin-1"), short, offset + 8
        if end - offset < 12:
            message = "the data set ends inside an element"
            raise DataSetError(message)
        return tag, raw.decode(), _LONG_LENGTH.unpack_from(data, offset + 8)[0], offset + 12

    def _sequence(
        self, offset: int, end: int, length: int, terms: tuple[str, ...], depth: int
    ) -> tuple[list[DataSet], int]:
        if depth > MAX_DEPTH:
            message = f"sequences nested more than {MAX_DEPTH} deep"
            raise DataSetError(message)
        if length != _UNDEFINED:
            if length > end - offset:
                message = "a sequence is longer than what holds it"
                raise DataSetError(message)
            end = offset + length
        items: list[DataSet] = []
        while offset < end:
            tag, _, size, offset = self._header(offset, end)
            if tag == _SEQUENCE_END:
                break
            if tag != _ITEM or (size != _UNDEFINED and size > end - offset):
                message = "a sequence holds something else than whole items"
                raise DataSetError(message)
            item_end = end if size == _UNDEFINED else offset + size
            item, offset = self.elements(offset, item_end, terms, depth)
            items.append(item)
        return items, offset


def _value(vr: str, raw: bytes, terms: tuple[str, ...]) -> Any:
    if vr in _CHARSET_TEXT:
        if raw.isascii() and b"\x1b" not in raw:
            return raw.decode("ascii").rstrip(" \0")
        return decode_text(raw, terms, person=vr == "PN").rstrip(" \0")
    if vr in _PLAIN_TEXT:
        return raw.decode("latin-1").strip(" \0")
    if code := _NUMBERS.get(vr):
        return _numbers(code, raw)
    if vr == "AT":
        halves = _numbers("H", raw)
        pairs = halves if isinstance(halves, list) else []
        tags = [pairs[i] << 16 | pairs[i + 1] for i in range(0, len(pairs) - 1, 2)]
        return tags[0] if len(tags) == 1 else tags
    return raw


def _numbers(code: str, raw: bytes) -> Any:
    count, rest = divmod(len(raw), struct.calcsize(f"<{code}"))
    if rest:
        message = f"{len(raw)} bytes are no numbers of type {code}"
        raise DataSetError(message)
    values = list(struct.unpack(f"<{count}{code}", raw))
    return values[0] if count == 1 else values


# -- write ------------------------------------------------------------------------------------


def encode(data_set: Mapping[int, Any], *, explicit: bool, character_set: str = "") -> bytes:
    """Return a data set's bytes, little endian, sequences and items of defined length.

    (0008,0005) is written where one was asked for, or any text is not ASCII: the asked character
    set if that can say everything, else UTF-8. An empty value (`None`, `""`, `[]`) is an element of
    no length.

    Args:
        data_set: as this module's head says; a value of several texts may be a list too.
        explicit: whether to write VRs.
        character_set: the value of (0008,0005) the reader would like.
    """
    for wanted in (character_set, UTF8):
        writer = _Writer(explicit, terms_of(wanted))
        try:
            body = writer.elements(
                {t: v for t, v in data_set.items() if t != SPECIFIC_CHARACTER_SET}
            )
        except UnicodeEncodeError:
            continue
        if not writer.beyond_ascii and not (wanted and is_supported(wanted)):
            return body
        head = writer.elements({SPECIFIC_CHARACTER_SET: wanted})
        low = {t: v for t, v in data_set.items() if t < SPECIFIC_CHARACTER_SET}
        before = writer.elements(low)
        return before + head + body[len(before) :]
    raise AssertionError


class _Writer:
    def __init__(self, explicit: bool, terms: tuple[str, ...]) -> None:  # noqa: FBT001 - private
        self._explicit = explicit
        self._terms = terms
        self.beyond_ascii = False

    def elements(self, data_set: Mapping[int, Any]) -> bytes:
        parts: list[bytes] = []
        for tag in sorted(data_set):
            value = data_set[tag]
            vr = "SQ" if _is_items(value) else vr_of(tag)
            raw = self._raw(vr, value)
            parts.append(self._head(tag, vr, len(raw)))
            parts.append(raw)
        return b"".join(parts)

    def _head(self, tag: int, vr: str, length: int) -> bytes:
        group, element = tag >> 16, tag & 0xFFFF
        if not self._explicit:
            return _TAG_LENGTH.pack(group, element, length)
        if length > _MAX_SHORT_LENGTH:
            vr = (
                "UN" if vr not in _LONG_FORM else vr
            )  # PS3.5 6.2.2: what no short length can say goes as UN
        if vr in _LONG_FORM:
            return _EXPLICIT_SHORT.pack(group, element, vr.encode(), 0) + _LONG_LENGTH.pack(length)
        return _EXPLICIT_SHORT.pack(group, element, vr.encode(), length)

    def _raw(self, vr: str, value: Any) -> bytes:
        if value is None or value in ("", []):
            return b""
        if vr == "SQ":
            return b"".join(self._item(item) for item in value)
        if isinstance(value, bytes):
            return value + b"\0" * (len(value) % 2)
        if code := _NUMBERS.get(vr):
            numbers = value if isinstance(value, Sequence) else (value,)
            return struct.pack(f"<{len(numbers)}{code}", *numbers)
        if vr == "AT":
            tags = value if isinstance(value, Sequence) else (value,)
            return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)
        return self._text(vr, value)

    def _text(self, vr: str, value: Any) -> bytes:
        text = "\\".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        if text.isascii():
            raw = text.encode("ascii")
        elif vr in _PLAIN_TEXT:
            raw = text.encode("ascii", "replace")
        else:
            self.beyond_ascii = True
            raw = encode_text(text, self._terms, person=vr == "PN")
        if len(raw) % 2:
            raw += b"\0" if vr == "UI" else b" "
        return raw

    def _item(self, item: Mapping[int, Any]) -> bytes:
        body = self.elements(item)
        return _TAG_LENGTH.pack(0xFFFE, 0xE000, len(body)) + body


def _is_items(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
