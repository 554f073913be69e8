"""HL7 v2 data types that this system reads and writes, to and from plain values and DICOM's.

Source: HL7 v2.5.1 chapter 2A (CX, HD, XPN, XCN, CE, TS, EI).
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from .message import Component, Leaf, Repetition, Segment

_TS = re.compile(
    r"(?P<date>\d{4}(?:\d{2}(?:\d{2})?)?)(?P<time>\d{2}(?:\d{2}(?:\d{2})?)?)?(?:\.\d{1,6})?"
    r"(?P<zone>[+-]\d{4})?\Z"
)


class DataTypeError(ValueError):
    """A field's content is not of its data type."""


@dataclass(frozen=True)
class Hierarchic:
    """HD or EI authority: namespace, universal id and its type."""

    namespace: str = ""
    universal_id: str = ""
    universal_id_type: str = ""

    @property
    def name(self) -> str:
        """The short name where there is one, else the universal id."""
        return self.namespace or self.universal_id

    def __bool__(self) -> bool:
        return bool(self.name)


@dataclass(frozen=True)
class Identifier:
    """CX: an identifier, who issued it, and its type (table 0203)."""

    value: str
    issuer: Hierarchic
    type_code: str = ""
    valid_from: datetime.date | None = None
    valid_until: datetime.date | None = None


@dataclass(frozen=True)
class Coded:
    """CE or CWE: code, text, coding scheme."""

    code: str = ""
    text: str = ""
    scheme: str = ""


@dataclass(frozen=True)
class Person:
    """XCN: a person with an identifier."""

    identifier: str
    family: str
    given: str
    prefix: str
    authority: str

    @property
    def display(self) -> str:
        """The name as people say it."""
        return " ".join(part for part in (self.prefix, self.given, self.family) if part)


def hierarchic(repetition: Repetition, component: int) -> Hierarchic:
    """Read an HD that stands in one component (its parts are subcomponents)."""
    return Hierarchic(
        repetition.value(component, 1),
        repetition.value(component, 2),
        repetition.value(component, 3),
    )


def identifiers(segment: Segment, field: int) -> list[Identifier]:
    """Read every repetition of a CX field that has an id."""
    return [
        Identifier(
            value=value,
            issuer=hierarchic(repetition, 4),
            type_code=repetition.value(5),
            valid_from=date(repetition.value(7)),
            valid_until=date(repetition.value(8)),
        )
        for repetition in segment.repetitions(field)
        if (value := repetition.value(1)) and not repetition.is_null and value != '""'
    ]


def coded(segment: Segment, field: int) -> Coded:
    """Read a CE field; where only the alternate triplet is filled, that one."""
    first = Coded(segment.value(field, 1), segment.value(field, 2), segment.value(field, 3))
    if first.code or first.text:
        return first
    return Coded(segment.value(field, 4), segment.value(field, 5), segment.value(field, 6))


def person(segment: Segment, field: int) -> Person | None:
    """Read the first repetition of an XCN field, None when it names nobody."""
    repetitions = segment.repetitions(field)
    if not repetitions or repetitions[0].is_null:
        return None
    one = repetitions[0]
    found = Person(
        identifier=one.value(1),
        family=one.value(2),
        given=one.value(3),
        prefix=one.value(6),
        authority=hierarchic(one, 9).name,
    )
    return found if found.identifier or found.family else None


def person_name(segment: Segment, field: int) -> str:
    """Turn an XPN field into a DICOM PN with up to three component groups.

    XPN-8 tells alphabetic, ideographic and phonetic repetitions apart; HL7 has suffix before
    prefix, DICOM prefix before suffix. Of several alphabetic names the legal one (type L) counts.
    Source: HL7 v2.5.1 2.A.89; PS3.5 6.2.1.2.
    """
    groups: dict[str, str] = {}
    legal: set[str] = set()
    for repetition in segment.repetitions(field):
        if repetition.is_null:
            continue
        code = repetition.value(8) or "A"
        kind = repetition.value(7)
        if code in groups and (kind != "L" or code in legal):
            continue
        parts = [
            repetition.value(1),
            repetition.value(2),
            repetition.value(3),
            repetition.value(5),
            repetition.value(4),
        ]
        # '^', '=' and '\' are separators in DICOM and have no escape there.
        cleaned = [re.sub(r"[\^=\\]", " ", "" if part == '""' else part) for part in parts]
        name = "^".join(cleaned).rstrip("^")
        if name:
            groups[code] = name
            if kind == "L":
                legal.add(code)
    return "=".join((groups.get("A", ""), groups.get("I", ""), groups.get("P", ""))).rstrip("=")


def xpn(name: str) -> list[Leaf | tuple[Component, ...]]:
    """Turn a DICOM PN into the repetitions of an XPN field."""
    repetitions: list[Leaf | tuple[Component, ...]] = []
    for code, group in zip("AIP", name.split("="), strict=False):
        if group:
            family, given, middle, prefix, suffix, *_ = [*group.split("^"), "", "", "", "", ""]
            repetitions.append((family, given, middle, suffix, prefix, "", "L", code))
    return repetitions


def date(value: str) -> datetime.date | None:
    """Read the date of a DT or TS; None when it is empty.

    Raises:
        DataTypeError: the text is no date, or is less exact than a day.
    """
    if not value or value == '""':
        return None
    found = _TS.match(value)
    if not found or len(found["date"]) < 8:
        raise DataTypeError(f"{value!r} is not a date (YYYYMMDD)")
    try:
        return datetime.date.fromisoformat(found["date"])
    except ValueError as error:
        raise DataTypeError(f"{value!r} is not a date (YYYYMMDD)") from error


def timestamp(value: str, zone: datetime.tzinfo) -> datetime.datetime | None:
    """Read a TS as an instant; one without offset is wall time in ``zone``.

    Raises:
        DataTypeError: the text is no time stamp with at least a day.
    """
    day = date(value)
    if day is None:
        return None
    found = _TS.match(value)
    clock = (found["time"] or "") if found else ""
    offset = found["zone"] if found else None
    hour, minute, second = (int(clock[i : i + 2] or 0) for i in (0, 2, 4))
    tz: datetime.tzinfo = zone
    if offset:
        sign = -1 if offset[0] == "-" else 1
        delta = datetime.timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5]))
        tz = datetime.timezone(sign * delta)
    try:
        return datetime.datetime(
            day.year, day.month, day.day, hour, minute, min(second, 59), tzinfo=tz
        )
    except ValueError as error:
        raise DataTypeError(f"{value!r} is not a time") from error


def format_timestamp(moment: datetime.datetime) -> str:
    """Write an instant as a TS with its offset."""
    return f"{moment.year:04d}" + moment.strftime("%m%d%H%M%S%z")
