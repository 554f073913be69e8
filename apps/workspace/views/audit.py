"""The audit trail for the privacy officer: who did and saw what."""

import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from apps.accounts.domain import Permission
from apps.accounts.pages import page
from apps.audit.models import AuditEvent
from apps.audit.registry import event_type
from apps.audit.selectors import AuditFilter, audit_page, audit_visible_to, last_seal
from apps.audit.steps import record_read
from apps.core.actors import Actor
from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient
from apps.patients.selectors import alias_keys, patient_search, patients_visible_to
from apps.workspace import audit_events
from apps.workspace.forms import DOORS, AuditForm
from apps.workspace.navigation import Entry


@require_GET
@page(Permission.AUDIT_READ)
def trail(request: HttpRequest) -> HttpResponse:
    """Search the trail; the search itself is an event of the trail."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    form = AuditForm(request.GET)
    wanted = filter_of(actor, form.cleaned_data) if form.is_valid() else AuditFilter(patients=())
    before = request.GET.get("before", "")
    asked = {k: v for k, v in request.GET.items() if v and k != "before"}
    record_read(actor=actor, event=audit_events.AUDIT_SEARCHED, door="page", query=urlencode(asked))
    events, next_before = audit_page(
        actor, wanted, before=int(before) if before.isdecimal() else None
    )
    next_query = urlencode({**asked, "before": next_before}) if next_before else ""
    context = {
        "form": form,
        "rows": rows_of(actor, events),
        "asked": asked,
        "next_query": next_query,
        "before": before,
        "first_query": urlencode(asked),
        "seal": last_seal(),
    }
    return render(request, "workspace/audit.html", context)


@require_GET
@page(Permission.AUDIT_READ)
def event(request: HttpRequest, pk: int) -> HttpResponse:
    """One event with everything it holds: a page, or the panel beside the list."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    found = get_object_or_404(audit_visible_to(actor), pk=pk)
    entry = Entry("Event, audit", "One event", reverse("workspace:audit"), "Audit", "audit")
    details = [
        (key, ", ".join(map(str, value)) if isinstance(value, list) else value)
        for key, value in found.details.items()
    ]
    context = {"one": entry, "row": rows_of(actor, [found])[0], "details": details}
    return render(request, "workspace/audit_event.html", context)


def filter_of(actor: Actor, cleaned: dict[str, Any]) -> AuditFilter:
    """What the form asks for: a patient's aliases are all meant, an accession means its study."""
    patients = None
    if cleaned["patient"]:
        found = patient_search(actor, cleaned["patient"])
        patients = [key for patient in found for key in alias_keys(patient)]
    study = cleaned["study"]
    if study:
        exam = RequestedProcedure.objects.filter(order__accession_number=study).first()
        study = exam.study_instance_uid if exam else study
    return AuditFilter(
        patients=patients,
        who=cleaned["who"],
        study=study,
        door=cleaned["door"],
        event=cleaned["event"],
        failures=cleaned["failures"],
        first=midnight(cleaned["first"]),
        last=midnight(cleaned["last"], days=1),
    )


def midnight(day: datetime.date | None, days: int = 0) -> datetime.datetime | None:
    """The instant at which a day of the hospital's calendar begins, some days later."""
    if day is None:
        return None
    wall = datetime.datetime.combine(day + datetime.timedelta(days=days), datetime.time())
    return timezone.make_aware(wall)


def rows_of(actor: Actor, events: list[AuditEvent]) -> list[dict[str, Any]]:
    """The events with words and with the names of patients whom the reader may see."""
    keys = {int(e.patient_key) for e in events if e.patient_key.isdecimal()}
    patients: dict[int, Patient] = patients_visible_to(actor).in_bulk(list(keys))
    return [
        {
            "event": e,
            "words": event_type(e.event).words,
            "door": DOORS.get(e.door, e.door),
            "patient": patients.get(int(e.patient_key)) if e.patient_key.isdecimal() else None,
            "refused": e.outcome > 0,
        }
        for e in events
    ]
