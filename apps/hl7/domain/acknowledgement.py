"""Acknowledgements in original mode: MSH, MSA, ERR.

Source: HL7 v2.5.1 2.9.2, 2.14.5 (ERR), 2.14.8 (MSA), tables 0008, 0357, 0516.
"""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass

from . import charsets
from .datatypes import format_timestamp
from .message import NULL, Builder, Component, FieldValue, Message


class AckCode(enum.StrEnum):
    """MSA-1. Source: table 0008."""

    ACCEPT = "AA"
    ERROR = "AE"
    REJECT = "AR"


class ErrorCode(enum.Enum):
    """ERR-3: code and text. Source: table 0357."""

    ACCEPTED = ("0", "Message accepted")
    SEGMENT_SEQUENCE = ("100", "Segment sequence error")
    REQUIRED_FIELD = ("101", "Required field missing")
    DATA_TYPE = ("102", "Data type error")
    TABLE_VALUE = ("103", "Table value not found")
    UNSUPPORTED_MESSAGE = ("200", "Unsupported message type")
    UNSUPPORTED_EVENT = ("201", "Unsupported event code")
    UNSUPPORTED_PROCESSING_ID = ("202", "Unsupported processing id")
    UNSUPPORTED_VERSION = ("203", "Unsupported version id")
    UNKNOWN_KEY = ("204", "Unknown key identifier")
    DUPLICATE_KEY = ("205", "Duplicate key identifier")
    LOCKED = ("206", "Application record locked")
    INTERNAL = ("207", "Application internal error")


@dataclass(frozen=True)
class Problem:
    """One ERR segment: what is wrong, where, and in words that help to mend it."""

    code: ErrorCode
    words: str
    location: tuple[str, int, int] | None = None  # segment, its sequence from 1, field
    severity: str = "E"  # table 0516: E error, W warning, I information
    application_code: str = ""  # ERR-5, our own code of the rule


def build_ack(
    code: AckCode,
    *,
    message: Message | None,
    at: datetime.datetime,
    control_id: str,
    problems: tuple[Problem, ...] = (),
    application: str = "ISOCENTER",
    facility: str = "",
) -> bytes:
    """Build the acknowledgement of a message, in the message's version and character set.

    Args:
        code: MSA-1.
        message: What is answered; None where it could not be parsed.
        at: The moment of the answer (MSH-7).
        control_id: MSH-10 of the answer.
        problems: ERR segments; warnings may stand beside AA.
        application: MSH-3 of the answer.
        facility: MSH-4 of the answer.
    """
    first = problems[0].words if problems else ""

    def text(charset: str) -> str:
        """Write the whole acknowledgement with this MSH-18."""
        builder = Builder(message.separators) if message and _usable(message) else Builder()
        builder.add(
            "MSH",
            {
                **_header(message, at, control_id, charset),
                3: application,
                4: facility or (message.msh.value(6) if message else ""),
            },
        )
        builder.add(
            "MSA", {1: code.value, 2: _plain(message.control_id) if message else "", 3: first}
        )
        for problem in problems:
            builder.add("ERR", _err(problem))
        return builder.text()

    charset = message.charset if message else ""
    data, used = charsets.encode(text(charset), charset)
    if used != charset and not data.isascii():
        data, _ = charsets.encode(text(used), used)
    return data


def _header(
    message: Message | None, at: datetime.datetime, control_id: str, charset: str
) -> dict[int, FieldValue]:
    version = message.version if message and message.version.startswith("2.") else "2.5.1"
    type_parts: tuple[Component, ...] = ("ACK",)
    if message and message.trigger_event:
        type_parts = ("ACK", message.trigger_event)
        if not version.startswith(("2.1", "2.2", "2.3")):
            type_parts = (*type_parts, "ACK")
    return {
        5: message.sending_application if message else "",
        6: message.sending_facility if message else "",
        7: format_timestamp(at),
        9: type_parts,
        10: control_id,
        11: (message.msh.value(11) if message else "") or "P",
        12: version,
        18: charset,
    }


def _err(problem: Problem) -> dict[int, FieldValue]:
    number, words = problem.code.value
    location: FieldValue = ""
    if problem.location:
        segment, sequence, field = problem.location
        location = (segment, str(sequence), str(field)) if field else (segment, str(sequence))
    return {
        2: location,
        3: (number, words, "HL70357"),
        4: problem.severity,
        5: (problem.application_code, "", "L") if problem.application_code else "",
        8: problem.words,
    }


def _plain(value: str) -> str:
    return "" if value == NULL else value


def _usable(message: Message) -> bool:
    """Whether a message's separators are enough to answer with."""
    return len(message.separators.encoding_characters) == 4
