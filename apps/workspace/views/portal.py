"""The referring clinician's own patients: results, and what is still to come."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.accounts.domain import Permission
from apps.accounts.models import Practice
from apps.accounts.pages import page
from apps.audit.models import Outcome
from apps.audit.steps import record_read
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.orders.models import RequestedProcedure
from apps.patients.selectors import primary_identifier
from apps.reports.domain import blocks
from apps.workspace import audit_events
from apps.workspace.exams import thumbs_of
from apps.workspace.results import (
    MOST,
    SHOWS,
    is_new,
    result_access,
    result_counts,
    results_of,
)


@require_GET
@never_cache
@page(Permission.REPORT_READ)
def results(request: HttpRequest) -> HttpResponse:
    """The list; on a wide screen with room for one result beside it."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    record_read(
        actor=actor, event=audit_events.RESULTS_LISTED, door="page", query=request.GET.urlencode()
    )
    return render(request, "portal/results.html", _listing(request))


@require_GET
@never_cache
@page(Permission.REPORT_READ)
def result(request: HttpRequest, pk: int) -> HttpResponse:
    """One exam: its report once signed, its images, where it stands."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    try:
        found = result_access(actor, pk)
    except NotFoundError:
        hidden = RequestedProcedure.objects.select_related("order").filter(pk=pk).first()
        if hidden is not None:
            record_read(
                actor=actor,
                event=audit_events.RESULT_REFUSED,
                door="page",
                outcome=Outcome.MINOR_FAILURE,
                patient=hidden.order.patient_id,
                key=f"exam:{pk}",
            )
        raise
    study = found.studies[0].study_instance_uid if found.studies else ""
    record_read(
        actor=actor,
        event=audit_events.RESULT_READ,
        door="page",
        patient=found.patient.pk if found.patient else "",
        study=study,
        key=f"exam:{pk}",
    )
    sections = found.version.sections if found.version else []
    context = _listing(request) | {
        "result": found,
        "identifier": primary_identifier(found.patient) if found.patient else None,
        "first": [_set(s) for s in found.impression],
        "sections": [_set(s) for s in sections if s["text"].strip()],
        "thumbs": thumbs_of(found.exam, 2),
    }
    return render(request, "portal/result.html", context)


def _listing(request: HttpRequest) -> dict[str, Any]:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    asked, text = request.GET.get("show", ""), request.GET.get("q", "").strip()[:64]
    counts = result_counts(actor)
    show = asked if asked in SHOWS else ("mine" if counts["mine"] != "0" else "practice")
    found = results_of(actor, show=show, text=text)
    at = clock.now()
    groups = [
        ("New", [r for r in found if is_new(r, at)]),
        ("Waiting", [r for r in found if r.version is None]),
        ("Earlier", [r for r in found if r.version is not None and not is_new(r, at)]),
    ]
    practice = Practice.objects.filter(members=actor.user_id or 0).first()
    return {
        "groups": [(words, rows) for words, rows in groups if rows],
        "shows": [(key, words, counts[key]) for key, words in SHOWS.items()],
        "show": show,
        "text": text,
        "practice": practice,
        "most": MOST if len(found) == MOST else 0,
        "query": request.GET.urlencode(),
        "result": None,
    }


def _set(section: Any) -> dict[str, Any]:
    return {
        "key": section["key"],
        "title": section["title"],
        "blocks": blocks(section["text"]),
    }
