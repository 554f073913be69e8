"""Finding a person, and everything about them on one page."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from apps.accounts.domain import Permission
from apps.accounts.pages import page
from apps.audit.models import Outcome
from apps.audit.registry import event_type
from apps.audit.selectors import patient_viewers
from apps.audit.steps import record_read
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.patients import audit_events
from apps.patients.models import Patient
from apps.patients.selectors import alias_keys, patient_access, patient_search, primary_identifier
from apps.workspace.exams import Exam, exams_of, thumbs_of
from apps.workspace.forms import PatientSearchForm
from apps.workspace.navigation import is_served
from apps.workspace.timeline import timeline


@require_GET
@page(Permission.PATIENT_READ)
def search(request: HttpRequest) -> HttpResponse:
    """Look a person up by name, number or birth date."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    form = PatientSearchForm(request.GET)
    asked = any(request.GET.get(key) for key in ("q", "born"))
    found: list[Patient] = []
    if asked and form.is_valid():
        text, born = form.cleaned_data["q"], form.cleaned_data["born"]
        query = " ".join(part for part in (text, f"born {born}" if born else "") if part)
        record_read(actor=actor, event=audit_events.SEARCHED, door="page", query=query)
        found = patient_search(actor, text, born=born)
    context = {
        "form": form,
        "asked": asked,
        "rows": [found_row(p) for p in found],
    }
    return render(request, "workspace/patients.html", context)


def found_row(patient: Patient) -> dict[str, Any]:
    """A person found, with the number that goes out apart from the others."""
    main = primary_identifier(patient)
    others = [number for number in patient.identifiers.all() if number != main]
    return {"patient": patient, "identifier": main, "others": others}


@require_GET
@page(Permission.PATIENT_READ)
def jacket(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything about one person; a merged-away one leads to the survivor."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    patient = admitted(actor, pk)
    if patient.survivor_id:
        return redirect("workspace:patient", pk=patient.survivor_id)
    record_read(actor=actor, event=audit_events.VIEWED, door="page", patient=patient.pk)
    exams = exams_of(actor, patient)
    opened = opened_of(exams, request.GET.get("exam", ""))
    context = {
        "patient": patient,
        "identifier": primary_identifier(patient),
        "identifiers": list(patient.identifiers.order_by("-primary", "issuer", "value")),
        "merged": Patient.objects.filter(survivor=patient).prefetch_related("identifiers"),
        "exams": exams,
        "years": years_of(exams),
        "opened": opened,
        "thumbs": [t for exam in exams if exam.key == opened for t in thumbs_of(exam)],
        "timeline": timeline(exams, timezone.localdate(clock.now())),
        "timeline_narrow": timeline(exams, timezone.localdate(clock.now()), narrow=True),
        "viewers": viewers_of(actor, patient),
        "actions": actions_for(actor, patient, exams, opened),
    }
    return render(request, "workspace/patient.html", context)


def admitted(actor: Actor, pk: int) -> Patient:
    """The patient; a refusal of one that exists is recorded, and looks like absence.

    Raises:
        NotFoundError: absent, or hidden from the actor.
    """
    try:
        return patient_access(actor, pk)
    except NotFoundError:
        if Patient.objects.filter(pk=pk).exists():
            record_read(
                actor=actor,
                event=audit_events.VIEWED,
                door="page",
                outcome=Outcome.MINOR_FAILURE,
                patient=pk,
            )
        raise


def opened_of(exams: list[Exam], asked: str) -> str:
    """The exam that stands open: the one asked for, else the newest with something to see."""
    keys = [exam.key for exam in exams]
    if asked in keys:
        return asked
    return next((exam.key for exam in exams if exam.studies), keys[0] if keys else "")


def years_of(exams: list[Exam]) -> list[dict[str, Any]]:
    """The exams under their years; what is three years old or more stands together."""
    bound = timezone.localdate(clock.now()).year - 2
    groups: dict[str, list[Exam]] = {}
    for exam in exams:
        year = exam.day.year if exam.day else None
        words = str(year) if year and year > bound else f"{bound} and before"
        groups.setdefault(words if year else "Without a date", []).append(exam)
    return [{"words": words, "exams": listed} for words, listed in groups.items()]


def viewers_of(actor: Actor, patient: Patient) -> list[dict[str, Any]]:
    """Who last looked, for those who may read the audit trail."""
    return [
        {"actor_display": e.actor_display, "at": e.at, "words": event_type(e.event).words}
        for e in patient_viewers(actor, alias_keys(patient))
    ]


def actions_for(
    actor: Actor, patient: Patient, exams: list[Exam], opened: str
) -> list[dict[str, str]]:
    """What the actor can begin here: book what waits, the open exam before others; order one."""
    order: list[dict[str, str]] = []
    if Permission.ORDER_WRITE in actor.permissions:
        url = f"{reverse('workspace:order-new')}?patient={patient.pk}"
        order = [{"url": url, "icon": "plus", "words": "Order an exam", "key": "O"}]
    waiting = sorted((e for e in exams if e.bookable), key=lambda e: e.key != opened)
    may_book = Permission.SCHEDULE_WRITE in actor.permissions and is_served("scheduling:calendar")
    if not (waiting and may_book):
        return order
    url = f"{reverse('scheduling:calendar')}?exam={waiting[0].exam_id}"
    book = {"url": url, "icon": "calendar", "words": f"Book {waiting[0].title}", "key": "B"}
    return [book, *order]
