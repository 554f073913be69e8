"""Render a report as ORU^R01.

Source: HL7 v2.5.1 7.3.1 (ORU), 7.4.1 (OBR), 7.4.2 (OBX), tables 0085 and 0123.
"""

from __future__ import annotations

import base64
import datetime
import enum
from collections.abc import Sequence
from dataclasses import dataclass

from . import charsets
from .datatypes import Coded, Hierarchic, Identifier, Person, format_timestamp, xpn
from .message import NULL, Builder, Component, FieldValue

VERSION = "2.5.1"

SECTION_CODES: dict[str, tuple[str, str, str]] = {
    "indication": ("18785-6", "Reason for study", "LN"),
    "technique": ("55111-9", "Current imaging procedure descriptions", "LN"),
    "comparison": ("18834-2", "Radiology comparison study", "LN"),
    "findings": ("59776-5", "Procedure findings", "LN"),
    "impression": ("19005-8", "Radiology impression", "LN"),
    "addendum": ("55107-7", "Addendum", "LN"),
}
"""LOINC of a report's sections; another section goes out under its title alone."""

WRONG = "W"
"""OBX-11: post the original as wrong. Source: table 0085."""

STUDY = ("113014", "DICOM Study", "DCM")
DOCUMENT = ("18748-4", "Diagnostic imaging study", "LN")


class ResultStatus(enum.StrEnum):
    """OBR-25 and OBX-11. Source: tables 0123 and 0085."""

    PRELIMINARY = "P"
    FINAL = "F"
    CORRECTED = "C"


@dataclass(frozen=True)
class Section:
    """A part of the report: its name here (``findings``), its title and its text."""

    name: str
    title: str
    text: str


@dataclass(frozen=True)
class Procedure:
    """One OBR: the procedure the report answers, as it was ordered."""

    placer_number: str
    placer_namespace: str
    filler_number: str
    accession: str
    code: Coded
    performed_at: datetime.datetime | None
    provider: Person | None


@dataclass(frozen=True)
class Result:
    """All that an ORU says; texts as people wrote them."""

    status: ResultStatus
    identifiers: Sequence[Identifier]
    name: str  # DICOM PN
    birth_date: datetime.date | None
    sex: str
    procedures: Sequence[Procedure]
    study_instance_uids: Sequence[str]
    sections: Sequence[Section]
    reported_at: datetime.datetime
    author: Person | None
    pdf: bytes | None = None
    withdrawn: bool = False  # the report that went out before was wrong


def render(
    result: Result,
    *,
    control_id: str,
    at: datetime.datetime,
    sender: tuple[str, str],
    receiver: tuple[str, str],
    charset: str = "UNICODE UTF-8",
) -> str:
    """Render the message as text, whose MSH-18 names a character set that holds all of it.

    Args:
        result: What to say.
        control_id: MSH-10, the same at every attempt.
        at: MSH-7.
        sender: MSH-3 and MSH-4.
        receiver: MSH-5 and MSH-6.
        charset: Table 0211; UTF-8 is used where the text does not fit it.
    """
    text = _text(result, control_id, at, sender, receiver, charset)
    _, used = charsets.encode(text, charset)
    return text if used == charset else _text(result, control_id, at, sender, receiver, used)


def _text(  # noqa: PLR0917 -- private, called in one place
    result: Result,
    control_id: str,
    at: datetime.datetime,
    sender: tuple[str, str],
    receiver: tuple[str, str],
    charset: str,
) -> str:
    builder = Builder()
    builder.add(
        "MSH",
        {
            3: sender[0],
            4: sender[1],
            5: receiver[0],
            6: receiver[1],
            7: format_timestamp(at),
            9: ("ORU", "R01", "ORU_R01"),
            10: control_id,
            11: "P",
            12: VERSION,
            18: charset,
        },
    )
    builder.add(
        "PID",
        {
            1: "1",
            3: [_cx(one) for one in result.identifiers],
            5: xpn(result.name) or NULL,
            7: result.birth_date.strftime("%Y%m%d") if result.birth_date else "",
            8: result.sex or "U",
        },
    )
    for number, procedure in enumerate(result.procedures, start=1):
        _add_order(builder, number, procedure, result)
        _add_observations(builder, result)
    return builder.text()


def _add_order(builder: Builder, number: int, procedure: Procedure, result: Result) -> None:
    placer: tuple[Component, ...] = (procedure.placer_number, procedure.placer_namespace)
    filler: tuple[Component, ...] = (procedure.filler_number, "ISOCENTER")
    builder.add("ORC", {1: "RE", 2: placer, 3: filler, 12: _xcn(procedure.provider)})
    builder.add(
        "OBR",
        {
            1: str(number),
            2: placer,
            3: filler,
            4: (procedure.code.code, procedure.code.text, procedure.code.scheme),
            7: format_timestamp(procedure.performed_at or result.reported_at),
            16: _xcn(procedure.provider),
            18: procedure.accession,
            22: format_timestamp(result.reported_at),
            24: "RAD",
            25: result.status.value,
            32: _ndl(result.author),
        },
    )


def _add_observations(builder: Builder, result: Result) -> None:
    rows: list[dict[int, FieldValue]] = [
        {2: "HD", 3: STUDY, 5: ("", uid, "ISO")} for uid in result.study_instance_uids
    ]
    for section in result.sections:
        code, _, scheme = SECTION_CODES.get(section.name, ("", "", ""))
        title = section.title or section.name
        rows.append({2: "FT", 3: (code or title, title, scheme), 5: section.text})
    if result.pdf is not None:
        data = base64.b64encode(result.pdf).decode("ascii")
        rows.append({2: "ED", 3: DOCUMENT, 5: ("ISOCENTER", "application", "pdf", "Base64", data)})
    for number, row in enumerate(rows, start=1):
        builder.add(
            "OBX",
            {
                **row,
                1: str(number),
                4: "1",
                11: WRONG if result.withdrawn else result.status.value,
                14: format_timestamp(result.reported_at),
                16: _xcn(result.author),
            },
        )


def _hd(issuer: Hierarchic) -> Component:
    if issuer.universal_id:
        return (issuer.namespace, issuer.universal_id, issuer.universal_id_type)
    return issuer.namespace


def _cx(one: Identifier) -> tuple[Component, ...]:
    return (one.value, "", "", _hd(one.issuer), one.type_code)


def _xcn(person: Person | None) -> FieldValue:
    if person is None:
        return ""
    authority: Component = person.authority
    return (
        person.identifier,
        person.family,
        person.given,
        "",
        "",
        person.prefix,
        "",
        "",
        authority,
    )


def _ndl(person: Person | None) -> FieldValue:
    """NDL-1 is a CN: its components stand as subcomponents."""
    if person is None:
        return ""
    return ((person.identifier, person.family, person.given, "", "", person.prefix),)
