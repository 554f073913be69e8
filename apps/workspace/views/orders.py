"""Ordering an exam, and one order with its chain."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.domain import Permission
from apps.accounts.pages import page
from apps.audit.steps import record_read
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import DomainError
from apps.core.toasts import toast
from apps.orders import audit_events
from apps.orders.domain import ExamRequest, Indication, Priority, Referral
from apps.orders.models import Order, Procedure, RequestedProcedure
from apps.orders.selectors import duplicates, order_access
from apps.orders.services import order_accept, order_place
from apps.patients.models import Patient
from apps.patients.selectors import current, patient_access, primary_identifier
from apps.scheduling.services.cancelling import order_cancel_with_slot
from apps.workspace.exams import Exam, exams_of
from apps.workspace.forms import OrderForm

PRIORS = 6


@require_http_methods(["GET", "POST"])
@page(Permission.ORDER_WRITE)
def new(request: HttpRequest) -> HttpResponse:
    """Order an exam for the patient named in the address; a second one of its kind asks first."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    asked = request.GET.get("patient", "")
    if not asked.isdecimal():
        return redirect("workspace:patients")
    patient = current(patient_access(actor, int(asked)))
    form = OrderForm(request.POST or None, actor=actor)
    again: list[RequestedProcedure] = []
    if request.method == "POST" and form.is_valid():
        procedure: Procedure = form.cleaned_data["procedure"]
        again = _again(actor, patient, procedure)
        if not again or request.POST.get("all_the_same"):
            order = _placed(actor, patient, form)
            if order is not None:
                undo = reverse("workspace:order-undo", kwargs={"pk": order.pk})
                messages.success(request, f"{procedure.meaning} ordered", extra_tags=undo)
                return redirect("workspace:order", pk=order.pk)
    chosen = form["procedure"].value()
    procedure_ = Procedure.objects.filter(pk=chosen).first() if str(chosen).isdecimal() else None
    context = {
        "patient": patient,
        "identifier": primary_identifier(patient),
        "form": form,
        **_alerts(actor, patient, procedure_),
        "confirm": bool(again),
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "workspace/order_new.html", context, status=status)


@require_GET
@page(Permission.ORDER_WRITE)
def alerts(request: HttpRequest) -> HttpResponse:
    """Show open exams of the same kind and earlier exams, as soon as an exam is chosen."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    asked, chosen = request.GET.get("patient", ""), request.GET.get("procedure", "")
    patient = current(patient_access(actor, int(asked) if asked.isdecimal() else 0))
    procedure = Procedure.objects.filter(pk=chosen).first() if chosen.isdecimal() else None
    return render(request, "workspace/order_alerts.html", _alerts(actor, patient, procedure))


@require_GET
@page(Permission.ORDER_READ)
def order(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one order: what was asked, for whom, by whom, and how far its exams are."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    found = order_access(actor, pk)
    record_read(
        actor=actor,
        event=audit_events.VIEWED,
        door="page",
        patient=found.patient_id,
        key=f"order:{found.pk}",
    )
    patient = current(found.patient)
    may_write = Permission.ORDER_WRITE in actor.permissions
    context = {
        "order": found,
        "patient": patient,
        "identifier": primary_identifier(patient),
        "exams": [exam for exam in exams_of(actor, patient) if exam.order_id == found.pk],
        "may_cancel": may_write and found.status in ("RE", "VT", "HD", "SC"),
        "may_accept": may_write
        and found.status == "VT"
        and all(exam.procedure_id for exam in found.requested_procedures.all()),
        "may_see_patient": Permission.PATIENT_READ in actor.permissions,
    }
    return render(request, "workspace/order.html", context)


@require_POST
@page(Permission.ORDER_WRITE)
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Cancel an order, with its appointment where it has one."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    reason = request.POST.get("reason", "").strip()
    if not reason:
        messages.error(request, "Say why the order is cancelled.")
        return redirect("workspace:order", pk=pk)
    order_cancel_with_slot(actor=actor, order_id=pk, reason=reason, at=clock.now())
    messages.success(request, "The order is cancelled")
    return redirect("workspace:order", pk=pk)


@require_POST
@page(Permission.ORDER_WRITE)
def accept(request: HttpRequest, pk: int) -> HttpResponse:
    """Accept an order that was to be vetted."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    order_accept(actor=actor, order_id=pk, at=clock.now())
    messages.success(request, "Accepted; it can be booked")
    return redirect("workspace:order", pk=pk)


@require_POST
@page(Permission.ORDER_WRITE)
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back an order that was just placed."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    order_cancel_with_slot(actor=actor, order_id=pk, reason="Taken back at once", at=clock.now())
    return toast(HttpResponse(status=204), "The order is taken back")


def _placed(actor: Actor, patient: Patient, form: OrderForm) -> Order | None:
    """Carry out the form; what the command refuses is said beside its field."""
    said = form.cleaned_data
    procedure: Procedure = said["procedure"]
    referrer = said["referrer"]
    exam = ExamRequest(
        code=procedure.code,
        coding_scheme=procedure.coding_scheme,
        description=procedure.meaning,
        procedure_id=procedure.pk,
        laterality=said["laterality"],
    )
    name = f"{referrer.last_name}^{referrer.first_name}^^{referrer.title}" if referrer else ""
    try:
        return order_place(
            actor=actor,
            patient_id=patient.pk,
            site_id=said["site"].pk,
            exams=[exam],
            at=clock.now(),
            priority=Priority(said["priority"]),
            indication=Indication(
                reason=said["reason"],
                code=said["reason_code"],
                scheme=said["reason_scheme"] if said["reason_code"] else "",
                clinical_info=said["clinical_info"],
            ),
            referral=Referral(
                user_id=referrer.pk if referrer else None,
                name=name.rstrip("^"),
                service=said["service"],
            ),
        )
    except DomainError as error:
        field = error.details.get("field")
        form.add_error(field if field in form.fields else None, error.message)
        return None


def _again(actor: Actor, patient: Patient, procedure: Procedure) -> list[RequestedProcedure]:
    return duplicates(actor, patient=patient, procedure_ids=[procedure.pk], at=clock.now())


def _alerts(actor: Actor, patient: Patient, procedure: Procedure | None) -> dict[str, Any]:
    earlier: list[Exam] = exams_of(actor, patient)
    if procedure is not None:
        earlier.sort(key=lambda exam: exam.modality != procedure.modality)
    return {
        "procedure": procedure,
        "again": _again(actor, patient, procedure) if procedure else [],
        "earlier": earlier[:PRIORS],
    }
