"""The order's state machine and its words."""

import datetime
import enum
from dataclasses import dataclass

from apps.core.machines import Machine

ACCESSION_LENGTH = 16
"""SH, PS3.5 6.2."""

LATERALITIES = {"": "", "L": "Left", "R": "Right", "B": "Both"}
"""(0020,0060) has L and R; 'both' is ours and stays out of it."""

OPEN_STATES = ("RE", "VT", "HD", "SC")
"""An order in one of these can still be changed or cancelled."""


class Priority(enum.StrEnum):
    """FHIR request-priority, as `status.json` has it; HL7 table 0485 maps to it."""

    STAT = "stat"
    URGENT = "urgent"
    ROUTINE = "routine"


ORDER = Machine(
    name="order",
    field="status",
    source="HL7 table 0038; RE and VT are ours (requested, to vet)",
    initial=("RE", "VT"),
    table={
        ("vet", "RE"): "VT",
        ("accept", "VT"): "RE",
        ("hold", "RE"): "HD",
        ("hold", "VT"): "HD",
        ("hold", "SC"): "HD",
        ("resume", "HD"): "RE",
        ("schedule", "RE"): "SC",
        ("schedule", "SC"): "SC",
        ("unschedule", "SC"): "RE",
        ("start", "RE"): "IP",
        ("start", "SC"): "IP",
        ("start", "VT"): "IP",
        ("start", "IP"): "IP",
        ("undo-start", "IP"): "SC",
        ("complete", "IP"): "CM",
        ("complete", "SC"): "CM",
        ("complete", "RE"): "CM",
        ("complete", "CM"): "CM",
        ("cancel", "RE"): "CA",
        ("cancel", "VT"): "CA",
        ("cancel", "HD"): "CA",
        ("cancel", "SC"): "CA",
        ("discontinue", "IP"): "DC",
        ("discontinue", "SC"): "DC",
        ("fail", "RE"): "ER",
        ("fail", "VT"): "ER",
        ("reopen", "CM"): "IP",
        ("reopen", "DC"): "IP",
    },
)


@dataclass(frozen=True, slots=True)
class ExamRequest:
    """One exam as asked for: the catalogue's procedure where it is known, else the code as sent."""

    code: str
    coding_scheme: str = ""
    description: str = ""
    procedure_id: int | None = None
    laterality: str = ""


@dataclass(frozen=True, slots=True)
class Placer:
    """The number under which the sender keeps the order, and who issued it."""

    number: str = ""
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class Referral:
    """Who asks for the exam.

    Attributes:
        user_id: the account, where there is one: it is granted access to the exams.
        name: PN.
        service: ward or clinic.
    """

    user_id: int | None = None
    name: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Indication:
    """Why. `code` and `scheme` are of the coded reason (SNOMED CT, ICD-10), where there is one."""

    reason: str = ""
    code: str = ""
    scheme: str = ""
    clinical_info: str = ""


@dataclass(frozen=True, slots=True)
class OrderChange:
    """What a change says; None is 'not said, leave it'."""

    priority: Priority | None = None
    indication: Indication | None = None
    referral: Referral | None = None
    requested_at: datetime.datetime | None = None
    exam: ExamRequest | None = None


def fits_accession(value: str) -> bool:
    """Tell whether a value can be an accession number: SH, at most 16 characters."""
    return 0 < len(value) <= ACCESSION_LENGTH and value.isprintable() and "\\" not in value
