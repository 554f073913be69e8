"""What each message does: steps of the command that processes it."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from apps.accounts.models import Hl7Peer, Site
from apps.accounts.selectors import referrer_for
from apps.core.actors import Actor
from apps.hl7.domain import inbound
from apps.hl7.domain.acknowledgement import ErrorCode, Problem
from apps.hl7.domain.inbound import FieldError, OrderSaid, PatientSaid, VisitSaid
from apps.hl7.domain.message import Message
from apps.hl7.errors import OrderControlError, OtherPatientError, UnknownOrderError
from apps.orders.domain import (
    OPEN_STATES,
    ExamRequest,
    Indication,
    OrderChange,
    Placer,
    Priority,
    Referral,
)
from apps.orders.models import Order
from apps.orders.selectors import order_by_accession, order_by_placer, procedure_for_code
from apps.orders.steps import order_change, order_place
from apps.patients.domain import Demographics, QualifiedId
from apps.patients.models import Patient
from apps.patients.selectors import current
from apps.patients.steps import patient_register
from apps.scheduling.steps import order_cancel_booked, order_lock
from apps.worklists.performing.steps import order_stop

DOOR = "hl7"
PRIORITY = {
    "STAT": Priority.STAT,
    "URGENT": Priority.URGENT,
    "ROUTINE": Priority.ROUTINE,
}


@dataclass
class Work:
    """One message being processed: who sent it, and what came of it so far."""

    message: Message
    actor: Actor
    peer: Hl7Peer | None
    site: Site
    at: datetime.datetime
    warnings: list[Problem] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)

    def warn(self, code: ErrorCode, words: str, location: tuple[str, int, int]) -> None:
        """Tell the sender of something it should look at, although the message is accepted."""
        self.warnings.append(Problem(code, words, location, severity="W"))

    @property
    def issuer(self) -> str:
        """Issuer of patient numbers that name none: said of the sender, else its site's."""
        return (self.peer.issuer if self.peer else "") or self.site.issuer_of_patient_id

    @property
    def placer_issuer(self) -> str:
        """Issuer of order numbers that name none."""
        return self.message.sending_application or (self.peer.name if self.peer else "")


def adt(work: Work) -> None:
    """A01, A04, A08 and their kind: register the patient, or take over what is said.

    Source: HL7 v2.5.1 3.3.1, 3.3.4, 3.3.8.
    """
    _patient(work)


def orm(work: Work) -> None:
    """ORM^O01: each ORC in turn, by its order control. All of them, or none.

    Source: HL7 v2.5.1 4.4.1, 4.5.1.1, table 0119.
    """
    orders = inbound.orders(work.message, zone=ZoneInfo(work.site.timezone))
    for said in orders:
        if said.control not in CONTROLS:
            message = (
                f"ORC-1 {said.control!r} is not taken here; "
                f"taken are {', '.join(sorted(CONTROLS))} (table 0119)."
            )
            raise OrderControlError(message)
    patient = _patient(work)
    visit = inbound.visit(work.message)
    for group in _grouped(orders):
        CONTROLS[group[0].control](work, patient, visit, group)


def _grouped(orders: tuple[OrderSaid, ...]) -> list[list[OrderSaid]]:
    """Join the exams of one ORC, and those of several new ORCs under one accession number."""
    groups: dict[tuple[str, str], list[OrderSaid]] = {}
    for said in orders:
        shared = said.accession if said.control == "NW" else ""
        groups.setdefault((said.control, shared or f"ORC {said.sequence}"), []).append(said)
    return list(groups.values())


def _patient(work: Work) -> Patient:
    said = inbound.patient(work.message)
    for segment, number, words in said.warnings:
        work.warn(ErrorCode.TABLE_VALUE, words, (segment, 1, number))
    done = patient_register(
        actor=work.actor,
        identifiers=_qualified(said, work.issuer),
        demographics=Demographics(
            name=said.name,
            birth_date=said.birth_date,
            birth_date_deleted=said.birth_date_deleted,
            sex=said.sex,
            phone=said.phone,
            address=said.address,
        ),
        site_id=work.site.pk,
        at=work.at,
        door=DOOR,
    )
    if done.changed:
        work.effects.append(f"patient:{done.patient.pk}")
    return done.patient


def _qualified(said: PatientSaid, issuer: str) -> list[QualifiedId]:
    """Qualify the identifiers; the medical record number comes first and is the primary one."""
    found = [QualifiedId(i.value, i.issuer.name or issuer, i.type_code) for i in said.identifiers]
    return sorted(found, key=lambda one: one.type_code not in ("MR", "PI"))


def _new(work: Work, patient: Patient, visit: VisitSaid, group: list[OrderSaid]) -> None:
    first = group[0]
    exams = [_exam(work, said) for said in group]
    placed = order_place(
        actor=work.actor,
        patient=patient,
        site=work.site,
        exams=exams,
        at=work.at,
        door=DOOR,
        source="hl7",
        priority=PRIORITY[first.priority],
        indication=_indication(first),
        referral=_referral(first, visit),
        placer=Placer(first.placer_number, first.placer_namespace or work.placer_issuer),
        accession=first.accession or _mapped_accession(work),
        requested_at=first.requested_at,
        confidentiality=first.confidentiality,
        peer_id=work.peer.pk if work.peer else None,
    )
    if placed.created:
        work.effects.append(f"order:{placed.order.pk}")
    else:
        words = f"the order {first.placer_number} was here already; nothing was changed"
        work.warn(ErrorCode.DUPLICATE_KEY, words, ("ORC", first.sequence, 2))


def _exam(work: Work, said: OrderSaid) -> ExamRequest:
    code = said.procedure.code or said.procedure.text
    if not code:
        raise FieldError("OBR-4 is empty: which procedure is ordered?", "OBR", 4, missing=True)
    procedure = procedure_for_code(
        code=said.procedure.code, coding_scheme=said.procedure.scheme, peer=work.peer
    )
    if procedure is None:
        words = f"OBR-4 {code!r} is not in the catalogue; the order is kept, a person looks at it"
        work.warn(ErrorCode.TABLE_VALUE, words, ("OBR", said.sequence, 4))
    return ExamRequest(
        code=code,
        coding_scheme=said.procedure.scheme,
        description=said.procedure.text,
        procedure_id=procedure.pk if procedure else None,
    )


def _mapped_accession(work: Work) -> str:
    """Read the accession number where this sender keeps it, such as ORC-3."""
    segment_name, _, number = (work.peer.accession_field if work.peer else "").partition("-")
    segment = work.message.first(segment_name) if segment_name else None
    return segment.value(int(number)) if segment and number.isdecimal() else ""


def _indication(said: OrderSaid) -> Indication:
    info = "\n".join(part for part in (said.clinical_information, said.notes) if part)
    return Indication(said.reason_text, said.reason_code.code, said.reason_code.scheme, info)


def _referral(said: OrderSaid, visit: VisitSaid) -> Referral:
    if said.provider is None:
        return Referral(service=visit.location)
    user = referrer_for(said.provider.identifier)
    name = f"{said.provider.family}^{said.provider.given}^^{said.provider.prefix}".rstrip("^")
    return Referral(user.pk if user else None, name, visit.location)


def _cancel(work: Work, patient: Patient, _: VisitSaid, group: list[OrderSaid]) -> None:
    order = _order(work, patient, group[0])
    reason = group[0].cancel_reason or "Cancelled by the sender"
    locked = order_lock(order.pk)
    before = locked.status
    order_cancel_booked(actor=work.actor, order=locked, reason=reason, at=work.at, door=DOOR)
    _note(work, locked, before, "CA", group[0])


def _discontinue(work: Work, patient: Patient, visit: VisitSaid, group: list[OrderSaid]) -> None:
    """DC stops what has begun, and cancels what has not."""
    order = _order(work, patient, group[0])
    if order.status in OPEN_STATES:
        _cancel(work, patient, visit, group)
        return
    if order.status in ("DC", "CA"):
        _note(work, order, order.status, order.status, group[0])
        return
    reason = group[0].cancel_reason or "Discontinued by the sender"
    locked = order_lock(order.pk)
    before = locked.status
    order_stop(actor=work.actor, order=locked, reason=reason, at=work.at, door=DOOR)
    _note(work, locked, before, locked.status, group[0])


def _note(work: Work, order: Order, before: str, after: str, said: OrderSaid) -> None:
    if before == after:
        words = f"the order was {after} already; nothing was changed"
        work.warn(ErrorCode.DUPLICATE_KEY, words, ("ORC", said.sequence, 1))
    else:
        work.effects.append(f"order:{order.pk}")


def _change(work: Work, patient: Patient, visit: VisitSaid, group: list[OrderSaid]) -> None:
    said = group[0]
    order = _order(work, patient, said)
    sent = said.sent
    change = OrderChange(
        priority=PRIORITY[said.priority] if "priority" in sent else None,
        indication=_indication(said) if {"reason", "clinical_information"} & sent else None,
        referral=_referral(said, visit) if "provider" in sent else None,
        requested_at=said.requested_at,
        exam=_exam(work, said) if "procedure" in sent else None,
    )
    if order_change(actor=work.actor, order=order, change=change, at=work.at, door=DOOR):
        work.effects.append(f"order:{order.pk}")


def _order(work: Work, patient: Patient, said: OrderSaid) -> Order:
    """Find the order a message means: by the sender's number, else by ours."""
    order = order_by_placer(
        number=said.placer_number, issuer=said.placer_namespace or work.placer_issuer
    )
    for number in (said.accession, said.filler_number):
        if order is None and number:
            order = order_by_accession(value=number, issuer=work.site.issuer_of_accession_number)
    if order is None or (order.site_id != work.site.pk):
        raise UnknownOrderError
    if current(order.patient).pk != current(patient).pk:
        raise OtherPatientError
    return order


CONTROLS: dict[str, Callable[[Work, Patient, VisitSaid, list[OrderSaid]], None]] = {
    "NW": _new,
    "CA": _cancel,
    "XO": _change,
    "DC": _discontinue,
}
"""ORC-1, table 0119."""

EVENTS: dict[tuple[str, str], Callable[[Work], None]] = {
    ("ADT", "A01"): adt,
    ("ADT", "A04"): adt,
    ("ADT", "A08"): adt,
    ("ADT", "A28"): adt,
    ("ADT", "A31"): adt,
    ("ORM", "O01"): orm,
}
"""MSH-9.1 and MSH-9.2 that are taken."""
