"""Finding a person, and everything about them on one page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from apps.accounts.domain import Permission
from apps.accounts.pages import page
from apps.audit.selectors import patient_viewers
from apps.audit.steps import record_read
from apps.core.actors import Actor
from apps.patients import audit_events
from apps.patients.models import Patient
from apps.patients.selectors import alias_keys, patient_access, patient_search, primary_identifier
from apps.workspace.forms import PatientSearchForm


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
        "rows": [{"patient": p, "identifier": primary_identifier(p)} for p in found],
    }
    return render(request, "workspace/patients.html", context)


@require_GET
@page(Permission.PATIENT_READ)
def jacket(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything about one person; a merged-away one leads to the survivor."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    patient = patient_access(actor, pk)
    if patient.survivor_id:
        return redirect("workspace:patient", pk=patient.survivor_id)
    record_read(actor=actor, event=audit_events.VIEWED, door="page", patient=patient.pk)
    keys = alias_keys(patient)
    context = {
        "patient": patient,
        "identifier": primary_identifier(patient),
        "identifiers": patient.identifiers.order_by("-primary", "issuer", "value"),
        "merged": Patient.objects.filter(survivor=patient).prefetch_related("identifiers"),
        "viewers": patient_viewers(actor, keys),
    }
    return render(request, "workspace/patient.html", context)
