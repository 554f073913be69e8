"""Character sets of MSH-18 and how their bytes become text.

Source: HL7 v2.5.1 2.15.9.18 and table 0211.
"""

from __future__ import annotations

from dataclasses import dataclass

CODECS: dict[str, str] = {
    "ASCII": "ascii",
    "ISO IR6": "ascii",
    "8859/1": "iso8859_1",
    "8859/2": "iso8859_2",
    "8859/3": "iso8859_3",
    "8859/4": "iso8859_4",
    "8859/5": "iso8859_5",
    "8859/6": "iso8859_6",
    "8859/7": "iso8859_7",
    "8859/8": "iso8859_8",
    "8859/9": "iso8859_9",
    "8859/15": "iso8859_15",
    "ISO IR14": "shift_jis",
    "ISO IR87": "iso2022_jp_ext",
    "ISO IR159": "iso2022_jp_ext",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "UNICODE": "utf_8",
    "UNICODE UTF-8": "utf_8",
}
"""Table 0211 to Python codecs. CNS 11643 has no codec here; UTF-16 and UTF-32 hold the framing
bytes of MLLP inside characters and cannot be carried by it."""

SPELLINGS: dict[str, str] = {
    "UTF-8": "UNICODE UTF-8",
    "UTF8": "UNICODE UTF-8",
    "UNICODE_UTF-8": "UNICODE UTF-8",
    "US-ASCII": "ASCII",
    "GB18030": "GB 18030-2000",
    "BIG5": "BIG-5",
    **{f"ISO-8859-{part}": f"8859/{part}" for part in (*range(1, 10), 15)},
    **{f"ISO 8859/{part}": f"8859/{part}" for part in (*range(1, 10), 15)},
    **{f"ISO8859/{part}": f"8859/{part}" for part in (*range(1, 10), 15)},
}
"""What senders write although table 0211 spells it otherwise."""


class CharsetError(ValueError):
    """MSH-18 names a character set that is unknown here, or the bytes are not of it."""


@dataclass(frozen=True)
class Decoded:
    """Text of a message with the name (table 0211) and codec it was read by."""

    text: str
    charset: str
    codec: str


def canonical(name: str) -> str:
    """Return the table 0211 spelling of a character set's name (unknown names unchanged)."""
    name = " ".join(name.strip().upper().split())
    return SPELLINGS.get(name, name)


def codec_for(names: list[str]) -> tuple[str, str] | None:
    """Choose name and codec for the repetitions of MSH-18, or None when one is unknown.

    The first repetition is the default character set, the others are reached by ISO 2022
    escapes; the codecs for Japanese know them all, so the last known name other than ASCII
    decides. Source: HL7 v2.5.1 2.15.9.18.
    """
    chosen: tuple[str, str] | None = None
    for name in (canonical(raw) for raw in names):
        if not name:
            continue
        codec = CODECS.get(name)
        if codec is None:
            return None
        if chosen is None or chosen[1] == "ascii" or codec == "iso2022_jp_ext":
            chosen = (name, codec)
    return chosen or ("", "")


def declared(data: bytes) -> list[str]:
    """Return the repetitions of MSH-18 as they stand in the bytes, [] when there are none."""
    header = data.replace(b"\n", b"\r").split(b"\r", 1)[0]
    if len(header) < 8:
        return []
    separator, repetition = header[3:4], header[5:6]
    fields = header.split(separator)
    if len(fields) < 18 or not fields[17].strip():
        return []
    return [part.decode("latin-1") for part in fields[17].split(repetition)]


def decode(data: bytes, *, default: str = "") -> Decoded:
    """Decode a message by its MSH-18.

    Args:
        data: The message without MLLP framing, beginning with ``MSH``.
        default: The sender's usual character set (table 0211) where MSH-18 is empty. Without
            one, bytes beyond ASCII are read as UTF-8 where they are valid UTF-8, else as 8859/1,
            as senders who declare nothing do both.

    Raises:
        CharsetError: the declared set is unknown and matters, or the bytes are not of it.
    """
    names = declared(data) or ([default] if default else [])
    if data.isascii() and b"\x1b" not in data:
        known = codec_for(names)
        name, codec = known if known and known[0] else ("", "ascii")
        return Decoded(data.decode("ascii"), name, codec)
    chosen = codec_for(names)
    if chosen is None:
        raise CharsetError(
            f"MSH-18 {'~'.join(names)!r} is not a character set of table 0211 that is known here"
        )
    name, codec = chosen
    if codec in ("", "ascii"):
        try:
            return Decoded(data.decode("utf-8"), "UNICODE UTF-8", "utf_8")
        except UnicodeDecodeError:
            return Decoded(data.decode("iso8859_1"), "8859/1", "iso8859_1")
    try:
        return Decoded(data.decode(codec), name, codec)
    except UnicodeDecodeError as error:
        raise CharsetError(
            f"the bytes at {error.start} are not {name}, which MSH-18 says"
        ) from error


def encode(text: str, charset: str) -> tuple[bytes, str]:
    """Encode text in a character set of table 0211; what it cannot hold goes out as UTF-8.

    Returns:
        The bytes, and the name to write into MSH-18 (the caller writes it before encoding; a
        returned name that differs means: write it and encode again).
    """
    name = canonical(charset)
    codec = CODECS.get(name, "")
    if codec:
        try:
            return text.encode(codec), name
        except UnicodeEncodeError:
            pass
    return text.encode("utf-8"), "UNICODE UTF-8"
