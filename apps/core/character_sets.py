"""Specific Character Set (0008,0005): text from bytes and bytes from text.

Written here because pydicom 3.0.2 leaves the escapes of ISO 2022 IR 58 in the text, takes bytes of
two-byte characters for delimiters, and replaces what a set cannot say without telling.

Values are joined by a backslash, as they are on the wire. A backslash that is a byte of a longer
character is none.

Source: PS3.5 6.1.2, PS3.3 C.12.1.1.2.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

DEFAULT = "ISO_IR 6"
UTF8 = "ISO_IR 192"

_ALONE = {"ISO_IR 192": "utf-8", "GB18030": "gb18030", "GBK": "gbk"}
"""Sets of one to four bytes a character, without escapes."""
_RIGHT_HALVES = {
    "100": ("A", "latin_1"), "101": ("B", "iso8859_2"), "109": ("C", "iso8859_3"),
    "110": ("D", "iso8859_4"), "126": ("F", "iso8859_7"), "127": ("G", "iso8859_6"),
    "138": ("H", "iso8859_8"), "144": ("L", "iso8859_5"), "148": ("M", "iso8859_9"),
    "166": ("T", "iso8859_11"), "203": ("b", "iso8859_15"),
}  # fmt: skip
"""ISO-IR number: final byte of its escape, codec."""

_ASCII, _ROMAJI, _KANJI, _KANJI_2 = b"\x1b(B", b"\x1b(J", b"\x1b$B", b"\x1b$(D"
_KATAKANA, _KOREAN, _CHINESE = b"\x1b)I", b"\x1b$)C", b"\x1b$)A"
_TWO_BYTES = {_KANJI: "iso2022_jp", _KANJI_2: "iso2022_jp_2"}
"""Sets of two 7-bit bytes a character in the left half; Python's codecs take their escapes."""
_RIGHT = {
    _KATAKANA: "shift_jis",
    _KOREAN: "euc_kr",
    _CHINESE: "gb2312",
} | {b"\x1b-" + final.encode(): codec for final, codec in _RIGHT_HALVES.values()}
_OF_NUMBER = {"87": _KANJI, "159": _KANJI_2, "149": _KOREAN, "58": _CHINESE, "13": _KATAKANA} | {
    number: b"\x1b-" + final.encode() for number, (final, _) in _RIGHT_HALVES.items()
}
SUPPORTED = (
    DEFAULT,
    *(f"ISO_IR {number}" for number in sorted((*_RIGHT_HALVES, "13"), key=int)),
    *(f"ISO 2022 IR {number}" for number in sorted(("6", *_OF_NUMBER), key=int)),
    *_ALONE,
)
"""Defined terms that are read and written; those of ISO 2022 by code extension."""
_ESCAPE = re.compile(rb"\x1b(?:\([BJ]|\)I|\$B|\$\(D|\$\)[AC]|-[A-Zb])")
_RUN = re.compile(rb"[\x80-\xff]+|[^\x80-\xff]+")
_LINE_ENDS = "\t\n\f\r\\"


@lru_cache(maxsize=256)
def is_supported(character_set: str) -> bool:
    """Tell whether every term of a value of (0008,0005) is one of `SUPPORTED`."""
    terms = character_set.strip("\0 ").split("\\")
    return all(term.strip() in SUPPORTED for term in terms if term.strip())


@lru_cache(maxsize=256)
def terms_of(character_set: str) -> tuple[str, ...]:
    """Return the defined terms of a value of (0008,0005), common misspellings mended.

    An empty first value is the default repertoire; a term that is unknown counts as that too.
    """
    terms = []
    for value in character_set.strip("\0 ").split("\\"):
        term = re.sub(r"^ISO[ _-]?IR[ _-]?(\d+)$", r"ISO_IR \1", value.strip().upper())
        term = re.sub(r"^ISO[ _-]?2022[ _-]?IR[ _-]?(\d+)$", r"ISO 2022 IR \1", term)
        known = term in _ALONE or term.rpartition(" ")[2] in _OF_NUMBER
        terms.append(term if known and term.startswith(("ISO", "GB")) else DEFAULT)
    return tuple(terms)


def decode_text(raw: bytes, terms: Sequence[str], *, person: bool = False) -> str:
    """Return the text of a value; what the sets cannot read becomes U+FFFD.

    Args:
        raw: the bytes, several values with their delimiters.
        terms: see `terms_of`.
        person: the VR is PN, whose `^` and `=` end code extensions too.
    """
    first = terms[0]
    if first in _ALONE:
        return raw.decode(_ALONE[first], "replace")
    left, right = _initial(first)
    if b"\x1b" not in raw:
        return _right_decoded(raw, right) if right else raw.decode("latin_1")
    delimiters = f"{_LINE_ENDS}^=" if person else _LINE_ENDS
    parts: list[str] = []
    start_left, start_right = left, right
    for escape, run in _fragments(raw):
        if escape in _RIGHT:
            right = escape
        elif escape:
            left = escape
        for piece in _RUN.findall(run):
            if piece[0] >= 0x80:
                parts.append(_right_decoded(piece, right) if right else piece.decode("latin_1"))
            elif left in _TWO_BYTES:
                text, ended = _two_bytes_decoded(piece, left)
                parts.append(text)
                left = start_left if ended else left
            else:
                text = piece.decode("ascii")
                parts.append(text)
                if any(char in delimiters for char in text):
                    right = start_right
    return "".join(parts)


def encode_text(text: str, terms: Sequence[str], *, person: bool = False) -> bytes:
    """Return the bytes of a text.

    Raises:
        UnicodeEncodeError: the sets cannot say it.
    """
    first = terms[0]
    if first in _ALONE:
        return text.encode(_ALONE[first])
    if len(terms) == 1:
        _, right = _initial(first)
        return b"".join(_one_byte(char, right, text) for char in text)
    delimiters = f"{_LINE_ENDS}^=" if person else _LINE_ENDS
    pieces = re.split(f"([{re.escape(delimiters)}])", text)
    return b"".join(
        piece.encode("ascii") if n % 2 else _extended(piece, terms)
        for n, piece in enumerate(pieces)
    )


def _initial(term: str) -> tuple[bytes, bytes]:
    """Return what stands in the left and the right half before any escape."""
    number = term.rpartition(" ")[2]
    escape = _OF_NUMBER.get(number, b"")
    left = _ROMAJI if number == "13" else _ASCII
    return left, escape if escape in _RIGHT and escape not in (_KOREAN, _CHINESE) else b""


def _fragments(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield each escape with what follows it; the first has none. Unknown escapes are text."""
    position, escape = 0, b""
    for match in _ESCAPE.finditer(raw):
        yield escape, raw[position : match.start()]
        position, escape = match.end(), match.group()
    yield escape, raw[position:]


def _right_decoded(piece: bytes, escape: bytes) -> str:
    if escape == _KATAKANA:  # one byte each: shift_jis would join some of them to kanji
        return "".join(bytes((byte,)).decode("shift_jis", "replace") for byte in piece)
    return piece.decode(_RIGHT[escape], "replace")


def _two_bytes_decoded(piece: bytes, escape: bytes) -> tuple[str, bool]:
    """Decode 7-bit bytes two by two; a control character ends the set (PS3.5 6.1.2.5.3)."""
    end = next((n for n, byte in enumerate(piece) if byte <= 0x20), len(piece))
    body, rest = piece[: end - end % 2], piece[end - end % 2 :]
    text = (escape + body).decode(_TWO_BYTES[escape], "replace") if body else ""
    return text + rest.decode("ascii"), end < len(piece)


def _one_byte(char: str, escape: bytes, text: str) -> bytes:
    if char.isascii():
        return char.encode("ascii")
    raw = char.encode(_RIGHT.get(escape, "ascii"))
    if len(raw) != 1:
        raise UnicodeEncodeError(_RIGHT[escape], text, 0, 1, "takes two bytes")
    return raw


def _extended(text: str, terms: Sequence[str]) -> bytes:
    """Encode what stands between two delimiters: it begins and ends in the initial state."""
    start_left, start_right = _initial(terms[0])
    left, last = start_left, start_right
    out = bytearray()
    for char in text:
        if char.isascii():
            if left != start_left:
                out += start_left
                left, last = start_left, b""
            out += char.encode("ascii")
            continue
        escape, raw = _said_by(char, last, terms, text)
        if escape != last:  # said again at each change: readers such as pydicom know one set
            out += escape
            left, last = (escape if escape in _TWO_BYTES else left), escape
        out += raw
    if left != start_left:
        out += start_left
    return bytes(out)


def _said_by(char: str, current: bytes, terms: Sequence[str], text: str) -> tuple[bytes, bytes]:
    """Return the escape of the set that says a character, and its bytes; the current one first."""
    named = [_OF_NUMBER[number] for term in terms if (number := term.split()[-1]) in _OF_NUMBER]
    for escape in [current, *named] if current in named else named:
        try:
            if escape in _TWO_BYTES:
                raw = char.encode(_TWO_BYTES[escape])
                if not raw.startswith(escape):
                    continue  # the codec has other sets too
                return escape, raw.removeprefix(escape).removesuffix(_ASCII)
            raw = char.encode(_RIGHT[escape])
        except UnicodeEncodeError:
            continue
        if escape != _KATAKANA or len(raw) == 1:
            return escape, raw
    raise UnicodeEncodeError(terms[-1], text, text.index(char), text.index(char) + 1, "no set")
