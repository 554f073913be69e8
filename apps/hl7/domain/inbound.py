"""What an ADT or order message says, as plain values; fields cited at each reader.

Nothing here decides: a field that is missing or not of its type raises ``FieldError`` with its
place, and rules over what was said live in ``patients`` and ``orders``.

Source: HL7 v2.5.1 3.4.2 (PID), 3.4.3 (PV1), 4.5.1 (ORC), 4.5.3 (OBR), 4.5.4 (TQ1).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from . import datatypes
from .datatypes import Coded, DataTypeError, Identifier, Person
from .message import Message, Segment

SEXES = {"M": "M", "F": "F", "O": "O", "A": "O", "N": "O", "U": "", "": ""}
"""PID-8 (table 0001) to Patient's Sex (0010,0040): M, F, O or empty."""

PRIORITIES = {"S": "STAT", "A": "URGENT", "U": "URGENT", "R": "ROUTINE", "": "ROUTINE"}
"""TQ-6, TQ1-9 (table 0485) to our three; the others of the table are routine here."""

CONFIDENTIALITY = {"V": "V", "VIP": "V", "R": "R"}
"""ORC-28 (table 0177) to our code; all others are normal."""


class FieldError(ValueError):
    """A field is missing or wrong, with its place in the message."""

    def __init__(self, words: str, segment: str, number: int = 0, *, missing: bool = False) -> None:
        """Say what is wrong, in which segment and field."""
        super().__init__(words)
        self.words = words
        self.segment = segment
        self.number = number
        self.missing = missing


@dataclass(frozen=True)
class PatientSaid:
    """PID. ``None`` is 'not sent: leave as it is', '' is 'delete'."""

    identifiers: tuple[Identifier, ...]
    name: str | None
    birth_date: datetime.date | None
    birth_date_deleted: bool
    sex: str | None
    phone: str | None
    address: str | None
    warnings: tuple[tuple[str, int, str], ...] = ()


@dataclass(frozen=True)
class VisitSaid:
    """PV1: patient class (table 0004), where the patient is, the visit's number."""

    patient_class: str = ""
    location: str = ""
    visit_number: str = ""
    very_important: bool = False


@dataclass(frozen=True)
class OrderSaid:
    """One ORC with its OBR."""

    control: str
    sequence: int  # which ORC of the message, from 1
    placer_number: str
    placer_namespace: str
    filler_number: str
    accession: str
    procedure: Coded
    priority: str
    requested_at: datetime.datetime | None
    reason_text: str
    reason_code: Coded
    clinical_information: str
    provider: Person | None
    confidentiality: str
    notes: str
    cancel_reason: str
    sent: frozenset[str] = field(default_factory=frozenset)  # what the sender filled, for a change


def patient(message: Message) -> PatientSaid:
    """Read PID.

    Raises:
        FieldError: no PID, no identifier in it, or a birth date that is none.
    """
    pid = message.first("PID")
    if pid is None:
        raise FieldError("the message has no PID segment", "PID", missing=True)
    try:
        found = datatypes.identifiers(pid, 3)
    except DataTypeError as error:
        raise FieldError(f"PID-3: {error}", "PID", 3) from error
    if not found:
        # Version 2.2 and before carried it there; withdrawn since.
        found = datatypes.identifiers(pid, 2)
    if not found:
        raise FieldError("PID-3 names no patient identifier", "PID", 3, missing=True)
    try:
        birth_date = datatypes.date(pid.value(7))
    except DataTypeError as error:
        raise FieldError(f"PID-7: {error}", "PID", 7) from error
    warnings: list[tuple[str, int, str]] = []
    return PatientSaid(
        identifiers=tuple(found),
        name=_name(pid),
        birth_date=birth_date,
        birth_date_deleted=pid.is_null(7),
        sex=_sex(pid, warnings),
        phone=_deletable(pid, 13, _phone(pid)),
        address=_deletable(pid, 11, _address(pid)),
        warnings=tuple(warnings),
    )


def _deletable(pid: Segment, number: int, words: str) -> str | None:
    if pid.is_null(number):
        return ""
    return words or None


def _name(pid: Segment) -> str | None:
    if pid.is_null(5):
        return ""
    return datatypes.person_name(pid, 5) or None


def _sex(pid: Segment, warnings: list[tuple[str, int, str]]) -> str | None:
    if pid.is_null(8):
        return ""
    sent = pid.value(8)
    if not sent:
        return None
    sex = SEXES.get(sent.upper())
    if sex is None:
        warnings.append(("PID", 8, f"PID-8 {sent!r} is not of table 0001; the sex is kept unknown"))
    return sex or ""


def _phone(pid: Segment) -> str:
    parts = "".join(pid.value(13, part) for part in (5, 6, 7))
    return pid.value(13, 1) or parts or pid.value(13, 12)


def _address(pid: Segment) -> str:
    """Street, other, town, region, postcode, country, one after the other."""
    return ", ".join(part for n in (1, 2, 3, 4, 5, 6) if (part := pid.value(11, n)))


def visit(message: Message) -> VisitSaid:
    """Read PV1; all empty where there is none."""
    pv1 = message.first("PV1")
    if pv1 is None:
        return VisitSaid()
    place = [pv1.value(3, n) for n in (4, 1, 2, 3)]
    return VisitSaid(
        patient_class=pv1.value(2)[:1],
        location=" ".join(part for part in place if part and part != '""'),
        visit_number=pv1.value(19),
        very_important=bool(pv1.value(16)) and not pv1.is_null(16),
    )


def orders(message: Message, *, zone: datetime.tzinfo) -> tuple[OrderSaid, ...]:
    """Read every ORC with its OBR.

    Args:
        message: An ORM^O01.
        zone: The sender's zone, for times sent without an offset.

    Raises:
        FieldError: no ORC, an ORC without OBR, or a field that is not of its type.
    """
    found = tuple(_orders(message, zone))
    if not found:
        raise FieldError("the message has no ORC segment", "ORC", missing=True)
    return found


def _orders(message: Message, zone: datetime.tzinfo) -> Iterator[OrderSaid]:
    for sequence, group in enumerate(message.groups("ORC"), start=1):
        orc = group[0]
        details = [segment for segment in group if segment.name == "OBR"]
        if not details:
            raise FieldError(f"ORC {sequence} has no OBR: no imaging order", "OBR", missing=True)
        notes = "\n".join(
            text for segment in group if segment.name == "NTE" if (text := segment.text(3))
        )
        timing = next((segment for segment in group if segment.name == "TQ1"), None)
        for obr in details:
            yield _order(orc, obr, timing, notes, sequence, zone)


def _order(  # noqa: PLR0917 -- the segments of one group, called in one place
    orc: Segment,
    obr: Segment,
    timing: Segment | None,
    notes: str,
    sequence: int,
    zone: datetime.tzinfo,
) -> OrderSaid:
    control = orc.value(1).upper()
    if not control:
        raise FieldError("ORC-1 is empty: what is to be done?", "ORC", 1, missing=True)
    priority = (timing.value(9) if timing else "") or orc.value(7, 6) or obr.value(27, 6)
    priority = priority or obr.value(5)
    when = (timing.value(7) if timing else "") or orc.value(7, 4) or obr.value(27, 4)
    when = when or obr.value(36) or obr.value(6)
    try:
        requested_at = datatypes.timestamp(when, zone)
    except DataTypeError as error:
        raise FieldError(f"the requested time {error}", "OBR", 27) from error
    reason = datatypes.coded(obr, 31)
    said = OrderSaid(
        control=control,
        sequence=sequence,
        placer_number=_real(orc.value(2)) or _real(obr.value(2)),
        placer_namespace=_real(orc.value(2, 2)) or _real(obr.value(2, 2)),
        filler_number=_real(orc.value(3)) or _real(obr.value(3)),
        accession=_real(obr.value(18)),
        procedure=datatypes.coded(obr, 4),
        priority=PRIORITIES.get(priority.upper()[:1], "ROUTINE"),
        requested_at=requested_at,
        reason_text=_reason_text(obr),
        reason_code=reason if reason.scheme else Coded(),
        clinical_information=obr.text(13),
        provider=datatypes.person(orc, 12) or datatypes.person(obr, 16),
        confidentiality=CONFIDENTIALITY.get(orc.value(28).upper(), "N"),
        notes=notes,
        cancel_reason=orc.value(16, 2) or orc.value(16, 1),
    )
    filled = {
        "priority": bool(priority),
        "requested_at": bool(when),
        "procedure": bool(said.procedure.code),
        "reason": bool(said.reason_text),
        "clinical_information": bool(said.clinical_information),
        "provider": said.provider is not None,
        "notes": bool(notes),
    }
    return replace(said, sent=frozenset(name for name, is_filled in filled.items() if is_filled))


def _real(value: str) -> str:
    return "" if value == '""' else value


def _reason_text(obr: Segment) -> str:
    """Every repetition of OBR-31: its text, else its code."""
    return "; ".join(
        words for one in obr.repetitions(31) if (words := one.value(2) or one.value(1))
    )
