"""Parse and build HL7 v2 messages: separators from MSH, repetitions, components, escapes.

Reading is liberal (any segment terminator, missing trailing fields, unknown segments), building
is exact. Source: HL7 v2.5.1 2.5, 2.6, 2.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from . import charsets

NULL = '""'
"""A field sent as two quotes: delete what is stored. Source: HL7 v2.5.1 2.5.3.2."""

_SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")


class MessageError(ValueError):
    """The bytes are no HL7 v2 message."""


@dataclass(frozen=True)
class Separators:
    """The separators a message declares in MSH-1 and MSH-2."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @property
    def encoding_characters(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent

    @classmethod
    def of(cls, text: str) -> Separators:
        """Read the separators of a message's first segment.

        Raises:
            MessageError: no ``MSH``, or a character stands for two separators.
        """
        if not text.startswith("MSH") or len(text) < 5:
            raise MessageError("the message does not begin with an MSH segment")
        mark = text[3]
        declared = _LINE_BREAK.split(text[4:], maxsplit=1)[0].split(mark, 1)[0]
        chars = declared[:4]
        if mark.isalnum() or mark.isspace() or not chars or any(c.isalnum() for c in chars):
            raise MessageError(f"MSH-1 and MSH-2 {mark + declared!r} are no separators")
        if len({mark, *chars}) != 1 + len(chars):
            raise MessageError(
                f"MSH-1 and MSH-2 {mark + declared!r} give one character two meanings"
            )
        # Left out at the end: not used in this message.
        parts = [*chars, *[""] * (4 - len(chars))]
        return cls(mark, parts[0], parts[1], parts[2], parts[3])


DEFAULT_SEPARATORS = Separators()


def _split(text: str, separator: str) -> list[str]:
    return text.split(separator) if separator else [text]


def unescape(text: str, separators: Separators, codec: str = "utf_8") -> str:
    r"""Resolve the escape sequences of a leaf value.

    ``\F\ \S\ \T\ \R\ \E\ \P\`` are the delimiters, ``\Xhh..\`` bytes of the message's character
    set, ``\.br\`` and ``\.sp n\`` line breaks; highlighting is dropped; anything unknown stays as
    it was sent. Source: HL7 v2.5.1 2.7.
    """
    mark = separators.escape
    if not mark or mark not in text:
        return text
    plain = {
        "F": separators.field,
        "S": separators.component,
        "T": separators.subcomponent,
        "R": separators.repetition,
        "E": mark,
        "P": "#",
        "H": "",
        "N": "",
        ".br": "\n",
    }
    out: list[str] = []
    position = 0
    while True:
        start = text.find(mark, position)
        end = text.find(mark, start + 1) if start >= 0 else -1
        if start < 0 or end < 0:
            out.append(text[position:])
            return "".join(out)
        out.append(text[position:start])
        body = text[start + 1 : end]
        resolved = plain.get(body)
        if resolved is None:
            resolved = _resolve_special(body, codec)
        if resolved is None:
            # Not an escape: a lone mark. The second mark may begin a real one.
            out.append(text[start:end])
            position = end
        else:
            out.append(resolved)
            position = end + 1


def _resolve_special(body: str, codec: str) -> str | None:
    if body.startswith("X") and len(body) > 1 and len(body) % 2 == 1:
        try:
            return bytes.fromhex(body[1:]).decode(codec or "utf_8")
        except (ValueError, UnicodeDecodeError):
            return None
    if body.startswith(".sp"):
        count = body[3:].strip().lstrip("+") or "1"
        return "\n" * min(int(count), 99) if count.isdecimal() else None
    if body.startswith((".in", ".ti", ".fi", ".nf", ".ce", ".sk")):
        return "\n" if body == ".ce" else ""
    return None


def escape(text: str, separators: Separators = DEFAULT_SEPARATORS) -> str:
    r"""Escape a leaf value: delimiters by letter, line breaks as ``\.br\``, controls as hex.

    Source: HL7 v2.5.1 2.7.1 and 2.7.5.
    """
    names = {
        separators.escape: "E",
        separators.field: "F",
        separators.component: "S",
        separators.repetition: "R",
        separators.subcomponent: "T",
    }
    mark = separators.escape
    out: list[str] = []
    for char in text.replace("\r\n", "\n").replace("\r", "\n"):
        if char and char in names:
            out.append(f"{mark}{names[char]}{mark}")
        elif char == "\n":
            out.append(f"{mark}.br{mark}")
        elif ord(char) < 32 or ord(char) == 127:
            out.append(f"{mark}X{ord(char):02X}{mark}")
        else:
            out.append(char)
    return "".join(out)


@dataclass(frozen=True)
class Repetition:
    """One repetition of a field."""

    raw: str
    separators: Separators
    codec: str = "utf_8"

    def value(self, component: int = 1, subcomponent: int = 1) -> str:
        """Return a leaf, unescaped and stripped of outer blanks; '' where it is absent."""
        return unescape(self.raw_leaf(component, subcomponent), self.separators, self.codec).strip(
            " "
        )

    def raw_leaf(self, component: int = 1, subcomponent: int = 1) -> str:
        """Return a leaf as sent."""
        components = _split(self.raw, self.separators.component)
        if component > len(components):
            return ""
        parts = _split(components[component - 1], self.separators.subcomponent)
        return parts[subcomponent - 1] if subcomponent <= len(parts) else ""

    @property
    def is_null(self) -> bool:
        """Whether the sender asks to delete the stored value."""
        return self.raw.strip() == NULL


@dataclass(frozen=True)
class Segment:
    """A segment: its name and raw fields; fields, components count from 1 as in the standard."""

    name: str
    fields: tuple[str, ...]
    separators: Separators = DEFAULT_SEPARATORS
    codec: str = "utf_8"

    def raw(self, number: int) -> str:
        """Return field ``number`` as sent; '' where it is absent."""
        if self.name in ("MSH", "BHS", "FHS"):
            if number == 1:
                return self.separators.field
            number -= 1
        return self.fields[number - 1] if 0 < number <= len(self.fields) else ""

    def repetitions(self, number: int) -> tuple[Repetition, ...]:
        """Return the non-empty repetitions of a field."""
        return tuple(
            Repetition(part, self.separators, self.codec)
            for part in _split(self.raw(number), self.separators.repetition)
            if part.strip()
        )

    def value(self, number: int, component: int = 1, subcomponent: int = 1) -> str:
        """Return a leaf of the first repetition, unescaped."""
        parts = self.repetitions(number)
        return parts[0].value(component, subcomponent) if parts else ""

    def text(self, number: int) -> str:
        """Return a whole field unescaped, its repetitions as lines and components as blanks."""
        lines = [
            " ".join(
                part
                for index in range(1, repetition.raw.count(self.separators.component or "\0") + 2)
                if (part := repetition.value(index))
            )
            for repetition in self.repetitions(number)
        ]
        return "\n".join(lines)

    def is_null(self, number: int) -> bool:
        """Whether the field is sent as two quotes."""
        return self.raw(number).strip() == NULL


@dataclass(frozen=True)
class Message:
    """A parsed message."""

    segments: tuple[Segment, ...]
    separators: Separators
    charset: str = ""
    codec: str = "utf_8"

    @property
    def msh(self) -> Segment:
        """The header."""
        return self.segments[0]

    def all(self, name: str) -> tuple[Segment, ...]:
        """Return the segments of one name, in order."""
        return tuple(segment for segment in self.segments if segment.name == name)

    def first(self, name: str) -> Segment | None:
        """Return the first segment of a name."""
        return next((segment for segment in self.segments if segment.name == name), None)

    def groups(self, name: str) -> Iterator[tuple[Segment, ...]]:
        """Yield the runs that begin with a segment of this name (ORC groups of an order)."""
        run: list[Segment] = []
        for segment in self.segments:
            if segment.name == name and run:
                yield tuple(run)
                run = []
            if run or segment.name == name:
                run.append(segment)
        if run:
            yield tuple(run)

    @property
    def message_code(self) -> str:
        """MSH-9.1, such as ORM."""
        return self.msh.value(9, 1)

    @property
    def trigger_event(self) -> str:
        """MSH-9.2, such as O01."""
        return self.msh.value(9, 2)

    @property
    def sending_application(self) -> str:
        """MSH-3.1."""
        return self.msh.value(3)

    @property
    def sending_facility(self) -> str:
        """MSH-4.1."""
        return self.msh.value(4)

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.msh.value(10)

    @property
    def version(self) -> str:
        """MSH-12.1."""
        return self.msh.value(12)


def parse(data: bytes, *, default_charset: str = "") -> Message:
    """Parse the bytes of one message (no MLLP framing).

    Raises:
        MessageError: no MSH, unusable separators, or more than one MSH.
        CharsetError: see ``charsets.decode``.
    """
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n \t")
    if not data.startswith(b"MSH"):
        raise MessageError("the message does not begin with an MSH segment")
    if b"\x00" in data:
        raise MessageError("the message holds a NUL byte")
    decoded = charsets.decode(data, default=default_charset)
    separators = Separators.of(decoded.text)
    lines: list[str] = []
    for line in _LINE_BREAK.split(decoded.text):
        if _begins_segment(line, separators):
            lines.append(line)
        elif line.strip():
            # A line break inside a field, sent unescaped.
            lines[-1] += "\n" + line
    segments = tuple(_segment(line, separators, decoded.codec) for line in lines)
    if sum(1 for segment in segments if segment.name == "MSH") > 1:
        raise MessageError("there is more than one MSH segment: one message a frame")
    return Message(segments, separators, decoded.charset, decoded.codec)


def header_of(data: bytes) -> Message | None:
    """Read what can be read of a message's header, to answer a message that cannot be parsed."""
    first = _LINE_BREAK.split(data.lstrip(b"\r\n \t").decode("ascii", "replace"), maxsplit=1)[0]
    try:
        separators = Separators.of(first)
    except MessageError:
        return None
    return Message((_segment(first.replace("\0", ""), separators, "ascii"),), separators)


def _begins_segment(line: str, separators: Separators) -> bool:
    return bool(_SEGMENT_NAME.match(line)) and (len(line) == 3 or line[3] == separators.field)


def _segment(line: str, separators: Separators, codec: str) -> Segment:
    name, *fields = line.split(separators.field)
    return Segment(name, tuple(fields), separators, codec)


Leaf = str
Component = Leaf | Sequence[Leaf]
FieldValue = Leaf | tuple[Component, ...] | list["Leaf | tuple[Component, ...]"]
"""A field to build: text, a tuple of components (text or tuples of subcomponents), or a list of
repetitions of either."""


@dataclass
class Builder:
    """Builds a message segment by segment; every leaf is escaped."""

    separators: Separators = field(default_factory=Separators)
    lines: list[str] = field(default_factory=list)

    def add(self, name: str, fields: Mapping[int, FieldValue]) -> Builder:
        """Add a segment whose fields are given by number; absent ones stay empty."""
        mark = self.separators.field
        if name == "MSH":
            parts = [name, self.separators.encoding_characters]
            first = 3
        else:
            parts = [name]
            first = 1
        last = max((number for number, value in fields.items() if value), default=0)
        parts += [self._field(fields.get(number, "")) for number in range(first, last + 1)]
        self.lines.append(mark.join(parts))
        return self

    def _field(self, value: FieldValue) -> str:
        if isinstance(value, list):
            return self.separators.repetition.join(self._repetition(one) for one in value)
        return self._repetition(value)

    def _repetition(self, value: Leaf | tuple[Component, ...]) -> str:
        if isinstance(value, str):
            return self._leaf(value)
        components = [self._component(one) for one in value]
        while components and not components[-1]:
            components.pop()
        return self.separators.component.join(components)

    def _component(self, value: Component) -> str:
        if isinstance(value, str):
            return self._leaf(value)
        return self.separators.subcomponent.join(self._leaf(one) for one in value)

    def _leaf(self, value: str) -> str:
        return value if value == NULL else escape(value, self.separators)

    def text(self) -> str:
        """The message, each segment ended by a carriage return."""
        return "".join(f"{line}\r" for line in self.lines)
