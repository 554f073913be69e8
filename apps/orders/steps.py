"""Steps on orders for the commands of this and higher apps."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from apps.accounts.domain import Confidentiality
from apps.accounts.models import Site, User
from apps.accounts.steps import access_grant
from apps.audit.steps import record
from apps.core import live
from apps.core.actors import Actor
from apps.core.errors import DomainError, InvalidInputError
from apps.core.steps import lock, publish, require_transaction, transition
from apps.core.uids import new_uid
from apps.orders import audit_events
from apps.orders.domain import (
    ACCESSION_LENGTH,
    OPEN_STATES,
    ORDER,
    ExamRequest,
    Indication,
    OrderChange,
    Placer,
    Priority,
    Referral,
    fits_accession,
)
from apps.orders.models import (
    AccessionSequence,
    Order,
    OrderAttention,
    Procedure,
    RequestedProcedure,
)
from apps.orders.selectors import order_by_accession, order_by_placer
from apps.patients.models import Patient

UNKNOWN_PROCEDURE = "unknown-procedure"


class PlacerNumberTakenError(DomainError):
    """The sender's number stands for another order already."""

    code = "orders.placer-number-taken"
    message = "An order with this placer number is here already, and it says something else."


class AccessionTakenError(DomainError):
    """The accession number belongs to another order."""

    code = "orders.accession-taken"
    message = "This accession number belongs to another order."


class OrderClosedError(DomainError):
    """The order went too far to be changed."""

    code = "orders.order-closed"
    message = "This order can no longer be changed."


@dataclass(frozen=True, slots=True)
class Placed:
    """What placing did: the order, and whether it was made now or known already."""

    order: Order
    created: bool


def accession_issue(site: Site) -> str:
    """Issue the site's next accession number; numbers never come back, even unused.

    Source: PS3.3 C.4.12, (0008,0050): SH, 16 characters.
    """
    require_transaction()
    AccessionSequence.objects.get_or_create(site=site)
    row = AccessionSequence.objects.select_for_update().get(site=site)
    prefix = "".join(char for char in site.code if char.isalnum())[:5]
    while True:
        row.last += 1
        number = f"{prefix}{row.last:07d}"[:ACCESSION_LENGTH]
        if order_by_accession(value=number, issuer=site.issuer_of_accession_number) is None:
            row.save(update_fields=["last"])
            return number


def order_place(
    *,
    actor: Actor,
    patient: Patient,
    site: Site,
    exams: Sequence[ExamRequest],
    at: datetime.datetime,
    door: str,
    source: str,
    priority: Priority = Priority.ROUTINE,
    indication: Indication | None = None,
    referral: Referral | None = None,
    placer: Placer | None = None,
    accession: str = "",
    requested_at: datetime.datetime | None = None,
    confidentiality: str = Confidentiality.NORMAL.value,
    peer_id: int | None = None,
) -> Placed:
    """Place an order with its exams; the caller has authorised and holds the transaction.

    Idempotent on the placer's number: the same order again is found, not made. An exam whose code
    the catalogue does not know is accepted, and opens an item that needs attention. The referrer is
    granted access to each exam.

    Args:
        actor: who orders.
        patient: for whom; an order for a merged patient stays with it and shows the survivor.
        site: where it is to be done; its issuer qualifies the accession number.
        exams: at least one.
        at: now.
        door: for the audit: page, hl7.
        source: page, hl7, worklist.
        priority: of the whole order.
        indication: why.
        referral: who asks.
        placer: the sender's number.
        accession: the sender's; one that is no SH of 16 characters is kept as placer number where
            there is none, and ours is issued.
        requested_at: when it is wanted.
        confidentiality: code of `accounts.domain.Confidentiality`.
        peer_id: the HL7 peer whose codes these are, for the attention item.

    Raises:
        InvalidInputError: no exam, or one without a code.
        PlacerNumberTakenError: the number stands for an order of another patient or exam.
        AccessionTakenError: the accession number belongs to another order of this site's issuer.
    """
    require_transaction()
    if not exams or any(not exam.code for exam in exams):
        message = "An order needs at least one exam, and each exam a code."
        raise InvalidInputError(message, field="exams")
    placer = placer or Placer()
    if accession and not fits_accession(accession):
        if not placer.number:
            placer = Placer(accession[:64], placer.issuer)
        accession = ""
    # Waits for a parallel command on the same site's numbers, so that look and write are one.
    AccessionSequence.objects.get_or_create(site=site)
    AccessionSequence.objects.select_for_update().get(site=site)
    known = order_by_placer(number=placer.number, issuer=placer.issuer)
    if known is not None:
        return Placed(_same(known, patient, exams), created=False)
    issuer = site.issuer_of_accession_number
    if accession and order_by_accession(value=accession, issuer=issuer) is not None:
        raise AccessionTakenError(accession=accession)
    indication, referral = indication or Indication(), referral or Referral()
    procedures = Procedure.objects.in_bulk([e.procedure_id for e in exams if e.procedure_id])
    waits = any(
        exam.procedure_id is None or procedures[exam.procedure_id].needs_vetting for exam in exams
    )
    order = Order.objects.create(
        site=site,
        confidentiality=confidentiality,
        patient=patient,
        accession_number=accession or accession_issue(site),
        issuer_of_accession_number=issuer,
        placer_order_number=placer.number[:64],
        placer_issuer=placer.issuer[:180],
        status="VT" if waits else "RE",
        priority=priority.value,
        reason=indication.reason[:500],
        reason_code=indication.code[:64],
        reason_coding_scheme=indication.scheme[:16],
        clinical_info=indication.clinical_info,
        requesting_service=referral.service[:64],
        referrer_id=referral.user_id,
        referring_physician_name=referral.name[:324],
        ordered_at=at,
        requested_at=requested_at,
        source=source,
    )
    for number, exam in enumerate(exams, start=1):
        procedure = procedures.get(exam.procedure_id) if exam.procedure_id else None
        _exam_create(
            order=order, number=number, exam=exam, procedure=procedure, at=at, peer_id=peer_id
        )
    _grant(actor, order, at)
    record(
        actor=actor,
        event=audit_events.PLACED,
        door=door,
        patient=patient.pk,
        key=f"order:{order.pk}",
        accession=order.accession_number,
        placer=placer.number,
        exams=[exam.code for exam in exams],
    )
    publish(
        name="orders.order.placed", aggregate=f"order:{order.pk}", payload={"order_id": order.pk}
    )
    live.notify(live.SCHEDULE)
    return Placed(order, created=True)


def _same(known: Order, patient: Patient, exams: Sequence[ExamRequest]) -> Order:
    codes = list(known.requested_procedures.order_by("number").values_list("code", flat=True))
    people = {known.patient_id, known.patient.survivor_id}
    if codes != [exam.code[:64] for exam in exams] or not people & {
        patient.pk,
        patient.survivor_id or patient.pk,
    }:
        raise PlacerNumberTakenError(order=known.pk)
    return known


def _exam_create(
    *,
    order: Order,
    number: int,
    exam: ExamRequest,
    procedure: Procedure | None,
    at: datetime.datetime,
    peer_id: int | None,
) -> RequestedProcedure:
    row = RequestedProcedure.objects.create(
        order=order,
        number=number,
        procedure=procedure,
        code=exam.code[:64],
        coding_scheme=exam.coding_scheme[:64],
        description=(procedure.meaning if procedure else exam.description or exam.code)[:200],
        modality=procedure.modality if procedure else "",
        body_part=procedure.body_part if procedure else "",
        laterality=exam.laterality,
        requested_procedure_id=f"P{order.pk}.{number}",
        study_instance_uid=new_uid(),
    )
    if procedure is None:
        open_unknown_procedure(row, order, at, peer_id)
    return row


def open_unknown_procedure(
    exam: RequestedProcedure, order: Order, at: datetime.datetime, peer_id: int | None
) -> None:
    """Open the item that asks a person what this code means."""
    OrderAttention.objects.get_or_create(
        kind=UNKNOWN_PROCEDURE,
        key=f"exam:{exam.pk}",
        resolved_at=None,
        defaults={
            "site": order.site,
            "order": order,
            "summary": f"Code {exam.code} is not in the catalogue",
            "details": {
                "exam_id": exam.pk,
                "code": exam.code,
                "coding_scheme": exam.coding_scheme,
                "text": exam.description,
                "peer_id": peer_id,
            },
            "opened_at": at,
        },
    )
    live.notify(live.ATTENTION)


def _grant(actor: Actor, order: Order, at: datetime.datetime) -> None:
    if order.referrer_id is None:
        return
    user = User.objects.get(pk=order.referrer_id)
    for exam in order.requested_procedures.order_by("number"):
        access_grant(actor=actor, user=user, exam_key=exam.pk, reason="referred the exam", at=at)


def order_change(
    *, actor: Actor, order: Order, change: OrderChange, at: datetime.datetime, door: str
) -> bool:
    """Take over what a change says; return whether anything differed.

    The exam itself may change only until it is booked.

    Raises:
        OrderClosedError: the order is under way, done or cancelled; or booked, for another exam.
    """
    lock(order)
    if order.status not in OPEN_STATES:
        message = f"The order is {order.status}: it can no longer be changed."
        raise OrderClosedError(message)
    values: dict[str, object] = {}
    if change.priority is not None:
        values["priority"] = change.priority.value
    if change.requested_at is not None:
        values["requested_at"] = change.requested_at
    if change.indication is not None:
        values |= {
            "reason": change.indication.reason[:500],
            "reason_code": change.indication.code[:64],
            "reason_coding_scheme": change.indication.scheme[:16],
            "clinical_info": change.indication.clinical_info,
        }
    if change.referral is not None:
        values |= {
            "referrer_id": change.referral.user_id,
            "referring_physician_name": change.referral.name[:324],
            "requesting_service": change.referral.service[:64],
        }
    changes = {
        field: [str(getattr(order, field) or ""), str(new or "")]
        for field, new in values.items()
        if getattr(order, field) != new
    }
    for field in changes:
        setattr(order, field, values[field])
    if change.exam is not None:
        changes |= _change_exam(order, change.exam, at)
    if not changes:
        return False
    order.save()
    if "referrer_id" in changes:
        _grant(actor, order, at)
    record(
        actor=actor,
        event=audit_events.CHANGED,
        door=door,
        patient=order.patient_id,
        key=f"order:{order.pk}",
        changes=changes,
    )
    publish(
        name="orders.order.changed", aggregate=f"order:{order.pk}", payload={"order_id": order.pk}
    )
    live.notify(live.SCHEDULE)
    return True


def _change_exam(order: Order, wanted: ExamRequest, at: datetime.datetime) -> dict[str, list[str]]:
    exam = order.requested_procedures.select_for_update().order_by("number").first()
    if exam is None or (exam.code == wanted.code and exam.laterality == wanted.laterality):
        return {}
    if order.status not in ("RE", "VT", "HD"):
        message = "The exam is booked: cancel the appointment first, then change the exam."
        raise OrderClosedError(message)
    old = exam.code
    procedure = (
        Procedure.objects.filter(pk=wanted.procedure_id).first() if wanted.procedure_id else None
    )
    exam.procedure = procedure
    exam.code, exam.coding_scheme = wanted.code[:64], wanted.coding_scheme[:64]
    exam.laterality = wanted.laterality
    exam.description = (procedure.meaning if procedure else wanted.description or wanted.code)[:200]
    exam.modality = procedure.modality if procedure else ""
    exam.body_part = procedure.body_part if procedure else ""
    exam.save()
    if procedure is None:
        open_unknown_procedure(exam, order, at, None)
    return {"exam": [old, exam.code]}


def order_move(
    *, actor: Actor, order: Order, event: str, at: datetime.datetime, door: str, reason: str = ""
) -> tuple[str, str]:
    """Take a step of the order's machine, audit it and tell who listens.

    For the apps above that book, start and complete: `schedule`, `unschedule`, `start`, `complete`,
    `discontinue`, `reopen`, `hold`, `resume`, `vet`, `accept`, `fail`. A step into the state it
    has already is taken silently. Publishes `orders.order.moved` with old and new state.

    Raises:
        TransitionNotAllowedError: the machine has no such step from here.
    """
    before, after = transition(order, ORDER, event)
    if before == after:
        return before, after
    if reason and event in ("cancel", "discontinue"):
        order.cancel_reason = reason[:300]
        order.save(update_fields=["cancel_reason"])
    audit_event = {
        "cancel": audit_events.CANCELLED,
        "discontinue": audit_events.DISCONTINUED,
    }.get(event, audit_events.MOVED)
    record(
        actor=actor,
        event=audit_event,
        door=door,
        patient=order.patient_id,
        key=f"order:{order.pk}",
        old=before,
        new=after,
        reason=reason,
    )
    publish(
        name="orders.order.moved",
        aggregate=f"order:{order.pk}",
        payload={
            "order_id": order.pk,
            "event": event,
            "old": before,
            "new": after,
            "at": at.isoformat(),
        },
    )
    live.notify(live.SCHEDULE)
    return before, after


def order_cancel(
    *, actor: Actor, order: Order, reason: str, at: datetime.datetime, door: str
) -> tuple[str, str]:
    """Cancel an order that nothing was done for; its open attention items close with it.

    Of a booked order the slot must be freed in the same transaction: that is `scheduling`'s.
    Cancelling again changes nothing.

    Raises:
        TransitionNotAllowedError: the exam is under way or done.
    """
    require_transaction()
    if lock(order).status == "CA":
        return "CA", "CA"
    states = order_move(actor=actor, order=order, event="cancel", at=at, door=door, reason=reason)
    OrderAttention.objects.filter(order=order, resolved_at=None).update(
        resolved_at=at, resolved_by=actor.key, resolution="The order was cancelled"
    )
    live.notify(live.ATTENTION)
    return states
