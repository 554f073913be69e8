"""Commands on orders and the catalogue."""

import datetime
from collections.abc import Sequence

from django.db import transaction

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.accounts.models import Site
from apps.audit.steps import record
from apps.core import live
from apps.core.actors import Actor
from apps.core.errors import ConflictError, InvalidInputError, NotFoundError, NotPermittedError
from apps.core.steps import lock
from apps.orders import audit_events, policies, selectors, steps
from apps.orders.domain import (
    LATERALITIES,
    ExamRequest,
    Indication,
    OrderChange,
    Priority,
    Referral,
)
from apps.orders.models import (
    Order,
    OrderAttention,
    Procedure,
    ProcedureMapping,
    RequestedProcedure,
)
from apps.patients.selectors import current, patient_access


@transaction.atomic(durable=True)
def order_place(
    *,
    actor: Actor,
    patient_id: int,
    site_id: int,
    exams: Sequence[ExamRequest],
    at: datetime.datetime,
    priority: Priority = Priority.ROUTINE,
    indication: Indication | None = None,
    referral: Referral | None = None,
    requested_at: datetime.datetime | None = None,
    door: str = "page",
) -> Order:
    """Place an order from the catalogue for a patient; the accession number is issued.

    Raises:
        NotPermittedError: the actor orders nothing, or not at this site.
        NotFoundError: the patient is absent or hidden.
        InvalidInputError: no exam, none of the catalogue, or no indication.
    """
    policy.require(actor, Permission.ORDER_WRITE)
    if not policy.allows(actor, Permission.ORDER_WRITE, policy.Facts(site_id=site_id)):
        raise NotPermittedError(permission=Permission.ORDER_WRITE.value)
    patient = current(patient_access(actor, patient_id))
    known = set(
        Procedure.objects.filter(
            pk__in=[exam.procedure_id for exam in exams if exam.procedure_id], active=True
        ).values_list("pk", flat=True)
    )
    if not exams or any(exam.procedure_id not in known for exam in exams):
        message = "Choose an exam from the catalogue."
        raise InvalidInputError(message, field="procedure")
    if any(exam.laterality not in LATERALITIES for exam in exams):
        message = "The side is left, right or both."
        raise InvalidInputError(message, field="laterality")
    if not indication or not indication.reason.strip():
        message = "Say why the exam is needed."
        raise InvalidInputError(message, field="reason")
    return steps.order_place(
        actor=actor,
        patient=patient,
        site=Site.objects.get(pk=site_id),
        exams=exams,
        at=at,
        door=door,
        source="page",
        priority=priority,
        indication=indication,
        referral=referral,
        requested_at=requested_at,
        confidentiality=patient.confidentiality,
    ).order


@transaction.atomic(durable=True)
def order_change(
    *, actor: Actor, order_id: int, change: OrderChange, at: datetime.datetime, door: str = "page"
) -> Order:
    """Change priority, indication, referrer, wanted time or exam of an open order.

    Raises:
        NotFoundError: absent, or not the actor's to change.
        OrderClosedError: too far gone.
    """
    policy.require(actor, Permission.ORDER_WRITE)
    order = selectors.order_access(actor, order_id, Permission.ORDER_WRITE)
    steps.order_change(actor=actor, order=order, change=change, at=at, door=door)
    return order


@transaction.atomic(durable=True)
def order_cancel(
    *, actor: Actor, order_id: int, reason: str, at: datetime.datetime, door: str = "page"
) -> Order:
    """Cancel an order that holds no slot; one that does is cancelled by `scheduling`.

    Raises:
        NotFoundError: absent, or not the actor's to cancel.
        ConflictError: it holds a slot.
        TransitionNotAllowedError: under way, or done.
    """
    policy.require(actor, Permission.ORDER_WRITE)
    order = lock(selectors.order_access(actor, order_id, Permission.ORDER_WRITE))
    if order.status == "SC":
        message = "The order is booked: cancel it with its appointment."
        raise ConflictError(message)
    steps.order_cancel(actor=actor, order=order, reason=reason, at=at, door=door)
    return order


@transaction.atomic(durable=True)
def order_accept(
    *, actor: Actor, order_id: int, at: datetime.datetime, door: str = "page"
) -> Order:
    """Accept an order that was to be vetted: it can be booked now.

    Raises:
        NotFoundError: absent, or not the actor's.
        ConflictError: one of its exams has no procedure yet.
        TransitionNotAllowedError: it was not to be vetted.
    """
    policy.require(actor, Permission.ORDER_WRITE)
    order = lock(selectors.order_access(actor, order_id, Permission.ORDER_WRITE))
    if order.requested_procedures.filter(procedure=None).exists():
        message = "Say first what the unknown code means."
        raise ConflictError(message)
    steps.order_move(actor=actor, order=order, event="accept", at=at, door=door)
    return order


@transaction.atomic(durable=True)
def procedure_save(
    *,
    actor: Actor,
    code: str,
    meaning: str,
    modality: str,
    duration_minutes: int,
    coding_scheme: str = "L",
    loinc: str = "",
    body_part: str = "",
    preparation: str = "",
    needs_vetting: bool = False,
    active: bool = True,
) -> Procedure:
    """Add a procedure to the catalogue, or change the one of this code.

    Raises:
        InvalidInputError: no code or name, or a duration that is no time.
    """
    policy.require(actor, Permission.ADMINISTER)
    if not code.strip() or not meaning.strip() or not modality.strip():
        message = "A procedure has a code, a name and a modality."
        raise InvalidInputError(message, field="code")
    if not 0 < duration_minutes <= 24 * 60:
        message = "A procedure takes between one minute and a day."
        raise InvalidInputError(message, field="duration_minutes")
    procedure, _ = Procedure.objects.update_or_create(
        coding_scheme=coding_scheme,
        code=code.strip(),
        defaults={
            "meaning": meaning.strip(),
            "loinc": loinc,
            "modality": modality.strip(),
            "body_part": body_part,
            "duration_minutes": duration_minutes,
            "preparation": preparation,
            "needs_vetting": needs_vetting,
            "active": active,
        },
    )
    record(
        actor=actor,
        event=audit_events.PROCEDURE_SAVED,
        door="task",
        key=f"procedure:{procedure.pk}",
        code=code,
        active=active,
    )
    return procedure


@transaction.atomic(durable=True)
def unknown_procedure_resolve(
    *,
    actor: Actor,
    item_id: int,
    procedure_id: int,
    remember: bool,
    at: datetime.datetime,
    door: str = "page",
) -> OrderAttention:
    """Say what an unknown code means; the exam takes the procedure and can be booked.

    Args:
        actor: needs `attention.resolve` at the item's site.
        item_id: the open item.
        procedure_id: what the code means.
        remember: keep it for this sender, so that the code is known from now on.
        at: now.
        door: for the audit.

    Raises:
        NotFoundError: no such open item, or not the actor's; or no such procedure.
    """
    item, exam = _unknown(actor, item_id, open_=True)
    procedure = Procedure.objects.filter(pk=procedure_id, active=True).first()
    if procedure is None:
        raise NotFoundError(procedure=procedure_id)
    exam.procedure = procedure
    exam.description, exam.modality = procedure.meaning, procedure.modality
    exam.body_part = procedure.body_part
    exam.save()
    peer_id = item.details.get("peer_id")
    if remember and peer_id:
        ProcedureMapping.objects.update_or_create(
            peer_id=peer_id, code=exam.code, defaults={"procedure": procedure}
        )
    order = exam.order
    known = not order.requested_procedures.filter(procedure=None).exists()
    if known and order.status == "VT" and not procedure.needs_vetting:
        steps.order_move(actor=actor, order=order, event="accept", at=at, door=door)
    item.resolved_at, item.resolved_by = at, actor.key
    item.resolution = f"{exam.code} is {procedure}"[:300]
    item.details = {**item.details, "remembered": bool(remember and peer_id)}
    item.save()
    record(
        actor=actor,
        event=audit_events.PROCEDURE_MAPPED,
        door=door,
        patient=order.patient_id,
        key=f"order:{order.pk}",
        code=exam.code,
        procedure=procedure.code,
        remembered=bool(remember and peer_id),
    )
    live.notify(live.ATTENTION)
    return item


@transaction.atomic(durable=True)
def unknown_procedure_undo(
    *, actor: Actor, item_id: int, at: datetime.datetime, door: str = "page"
) -> OrderAttention:
    """Take back what was said of a code, as long as the exam is not booked.

    Raises:
        NotFoundError: no such resolved item, or not the actor's.
        ConflictError: the exam was booked since.
    """
    item, exam = _unknown(actor, item_id, open_=False)
    order = exam.order
    if order.status not in ("RE", "VT"):
        message = "The exam was booked since; change its procedure in the order instead."
        raise ConflictError(message)
    if item.details.get("remembered"):
        ProcedureMapping.objects.filter(
            peer_id=item.details.get("peer_id"), code=exam.code, procedure=exam.procedure
        ).delete()
    exam.procedure = None
    exam.description = item.details.get("text") or exam.code
    exam.modality = exam.body_part = ""
    exam.save()
    if order.status == "RE":
        steps.order_move(actor=actor, order=order, event="vet", at=at, door=door)
    item.resolved_at, item.resolved_by, item.resolution = None, "", ""
    item.save()
    record(
        actor=actor,
        event=audit_events.MAPPING_UNDONE,
        door=door,
        patient=order.patient_id,
        key=f"order:{order.pk}",
        code=exam.code,
    )
    live.notify(live.ATTENTION)
    return item


def _unknown(
    actor: Actor, item_id: int, *, open_: bool
) -> tuple[OrderAttention, RequestedProcedure]:
    """Lock order, exam and item, in this order."""
    policy.require(actor, Permission.ATTENTION_RESOLVE)
    item = (
        OrderAttention.objects.filter(
            policy.visible(actor, Permission.ATTENTION_RESOLVE, policies.ATTENTION_FIELDS),
            pk=item_id,
            kind=steps.UNKNOWN_PROCEDURE,
            resolved_at__isnull=open_,
        )
        .select_related("order")
        .first()
    )
    if item is None or item.order is None:
        raise NotFoundError(item=item_id)
    order = lock(item.order)
    exam = RequestedProcedure.objects.select_for_update().get(pk=item.details["exam_id"])
    exam.order = order
    item = OrderAttention.objects.select_for_update().get(pk=item_id)
    if (item.resolved_at is None) is not open_:
        raise ConflictError
    return item, exam
