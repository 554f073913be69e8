"""The reading list: what waits, who has it, and taking it."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from apps.accounts.domain import Permission
from apps.accounts.models import Site
from apps.accounts.pages import page
from apps.audit.steps import record_read
from apps.core import clock
from apps.core.actors import Actor
from apps.core.toasts import toast
from apps.core.words import person_name
from apps.patients.selectors import current, primary_identifier
from apps.reports.selectors import report_of_item
from apps.reports.services import report_start
from apps.studies.models import Series
from apps.worklists import audit_events
from apps.worklists.models import ReadingItem
from apps.worklists.reading import services
from apps.worklists.reading.domain import LISTS, PAGE, ReadingFilters
from apps.worklists.reading.selectors import (
    filter_choices,
    item_access,
    readers_for,
    reading_count,
    reading_counts,
    reading_list,
    saved_filters,
    studies_of,
)
from apps.workspace.exams import exams_of
from apps.workspace.reading_rows import reading_row, viewer_query
from apps.workspace.timeline import timeline

MOST_ROWS = 500
THUMBNAILS = 4
STATES = ("unread", "draft", "preliminary")
IMAGES = {"complete": "complete", "arriving": "arriving"}


@require_GET
@never_cache
@page(Permission.READING_READ)
def listing(request: HttpRequest) -> HttpResponse:
    """The list; to htmx its rows only."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    filters = ReadingFilters.read(request.GET.dict())
    size = min(max(_number(request.GET.get("size"), PAGE), PAGE), MOST_ROWS)
    found = reading_list(actor, filters, size=size)
    record_read(
        actor=actor,
        event=audit_events.READING_LIST_READ,
        door="page",
        query=_query(filters),
    )
    at = clock.now()
    context: dict[str, Any] = {
        "rows": [reading_row(actor, item, at) for item in found.items],
        "filters": filters,
        "more": _query(filters, size=str(min(size + PAGE, MOST_ROWS))) if found.next else "",
        "size": size,
    }
    if not request.htmx:  # type: ignore[attr-defined]
        context |= _tabs(actor, filters) | _choices(actor)
    template = "reading/rows.html" if request.htmx else "reading/list.html"  # type: ignore[attr-defined]
    return render(request, template, context)


@require_GET
@never_cache
@page(Permission.READING_READ)
def tabs(request: HttpRequest) -> HttpResponse:
    """The lists with their counts."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    filters = ReadingFilters.read(request.GET.dict())
    return render(request, "reading/tabs.html", _tabs(actor, filters))


@require_GET
@never_cache
@page(Permission.READING_READ)
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """One exam beside the list: who, why, images, what was before."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    item = item_access(actor, pk)
    studies = list(studies_of(item))
    record_read(
        actor=actor,
        event=audit_events.READING_ITEM_READ,
        door="page",
        patient=item.patient_id,
        study=studies[0].study_instance_uid if studies else "",
        key=f"reading:{item.pk}",
    )
    patient = current(item.patient)
    exams = exams_of(actor, patient)
    key = (
        f"exam-{item.requested_procedure_id}"
        if item.requested_procedure_id
        else f"study-{item.study_id}"
    )
    series = list(
        Series.objects.filter(study__in=studies).select_related("study").order_by("study", "pk")
    )
    context = {
        "row": reading_row(actor, item, clock.now()),
        "identifier": primary_identifier(patient),
        "exam": next((e for e in exams if e.key == key), None),
        "priors": [e for e in exams if e.key != key and e.studies],
        "timeline": timeline(exams, timezone.localdate(clock.now()), narrow=True),
        "series": series[:THUMBNAILS],
        "series_count": len(series),
        "viewer": viewer_query(studies),
        "offline": [s for s in studies if s.availability == "OFFLINE"],
        "readers": readers_for(actor, item),
        "may_force": Permission.READING_RELEASE_OTHERS.value in actor.permissions,
    }
    return render(request, "reading/preview.html", context)


@require_http_methods(["GET", "POST"])
@page(Permission.READING_CLAIM)
def open_item(request: HttpRequest, pk: int) -> HttpResponse:
    """Claim an exam and go to its images, or to its report where it has none to show.

    An address that is only followed changes nothing: it leads to the exam.
    """
    actor: Actor = request.actor  # type: ignore[attr-defined]
    if request.method == "GET":
        return _go(request, _look_url(actor, pk))
    item = services.reading_claim(actor=actor, item_id=pk, at=clock.now())
    return _go(request, _work_url(actor, item))


@require_http_methods(["GET", "POST"])
@page(Permission.REPORT_WRITE)
def write(request: HttpRequest, pk: int) -> HttpResponse:
    """Claim an exam and go to its report, beginning it where there is none.

    An address that is only followed begins nothing: it leads to the report, or to the exam.
    """
    actor: Actor = request.actor  # type: ignore[attr-defined]
    if request.method == "GET":
        return _go(request, _look_url(actor, pk, report=True))
    report = report_start(actor=actor, reading_item_id=pk, at=clock.now())
    return _go(request, reverse("reports:report", args=[report.pk]))


@require_POST
@page(Permission.READING_CLAIM)
def take_next(request: HttpRequest) -> HttpResponse:
    """Claim the next exam of this list for the reader, and go to it."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    filters = ReadingFilters.read(request.POST.dict())
    item = services.reading_next(actor=actor, at=clock.now(), filters=filters)
    return _go(request, _work_url(actor, item))


@require_POST
@page(Permission.READING_CLAIM)
def claim(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an exam without opening it."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    item = services.reading_claim(actor=actor, item_id=pk, at=clock.now())
    return _said(item, "Claimed: {}", reverse("reading:release", args=[pk]))


@require_POST
@page(Permission.READING_CLAIM)
def release(request: HttpRequest, pk: int) -> HttpResponse:
    """Give an exam back."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    item = services.reading_release(actor=actor, item_id=pk, at=clock.now())
    return _said(item, "Given back: {}", reverse("reading:claim", args=[pk]))


@require_POST
@page(Permission.READING_CLAIM)
def toggle(request: HttpRequest, pk: int) -> HttpResponse:
    """Give an exam back where the reader has it, else take it: one key for both."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    item = item_access(actor, pk, Permission.READING_CLAIM)
    return (release if item.claimed_by_id == actor.user_id else claim)(request, pk)


@require_POST
@page(Permission.READING_CLAIM)
def heartbeat(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep the reader's claim alive; tells the page where it is not the reader's any more."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return JsonResponse(
        {"claimed": services.reading_heartbeat(actor=actor, item_id=pk, at=clock.now())}
    )


@require_POST
@page(Permission.READING_CLAIM)
def hand_off(request: HttpRequest, pk: int) -> HttpResponse:
    """Leave an exam to another reader."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    to = _number(request.POST.get("reader"), 0)
    item = services.reading_hand_off(actor=actor, item_id=pk, to_user_id=to, at=clock.now())
    return _said(item, f"Handed to {item.assigned_to}: {{}}")


@require_POST
@page(Permission.READING_RELEASE_OTHERS)
def force_release(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an exam away from its reader, with a reason."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    item = services.reading_force_release(
        actor=actor, item_id=pk, reason=request.POST.get("reason", ""), at=clock.now()
    )
    return _said(item, "Free again: {}")


@require_POST
@page(Permission.READING_READ)
def save_filter(request: HttpRequest) -> HttpResponse:
    """Keep the filters as a list of one's own."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    filters = ReadingFilters.read(request.POST.dict())
    services.reading_filter_save(
        actor=actor, name=request.POST.get("list_name", ""), filters=filters
    )
    return _go(request, f"{reverse('reading:list')}{_query(filters)}")


@require_POST
@page(Permission.READING_READ)
def delete_filter(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget one of one's own lists."""
    services.reading_filter_delete(actor=request.actor, filter_id=pk)  # type: ignore[attr-defined]
    return _go(request, reverse("reading:list"))


def _tabs(actor: Actor, filters: ReadingFilters) -> dict[str, Any]:
    counts = reading_counts(actor)
    shown = [
        {
            "words": words,
            "url": f"{reverse('reading:list')}{_query(ReadingFilters(show=show))}",
            "count": counts[show],
            "tone": {"stat": "crit", "to-sign": "attn"}.get(show, "")
            if counts[show].number
            else "",
            "current": filters == ReadingFilters(show=show),
        }
        for show, words in LISTS.items()
    ]
    own = None
    for row, kept in saved_filters(actor):
        current_one = kept == filters
        own = row if current_one else own
        shown.append(
            {
                "words": row.name,
                "url": f"{reverse('reading:list')}{_query(kept)}",
                "count": reading_count(actor, kept),
                "tone": "",
                "current": current_one,
            }
        )
    return {"tabs": shown, "query": _query(filters), "own": own, "filters": filters}


def _choices(actor: Actor) -> dict[str, Any]:
    found = filter_choices()
    sites = Site.objects.order_by("name")
    if not actor.all_sites:
        sites = sites.filter(pk__in=actor.sites)
    return {
        "sites": sites,
        "modalities": found["modality"],
        "body_parts": found["body_part"],
        "states": STATES,
        "image_states": IMAGES,
    }


def _work_url(actor: Actor, item: ReadingItem) -> str:
    studies = viewer_query(list(studies_of(item)))
    if studies:
        query = QueryDict(mutable=True)
        query["StudyInstanceUIDs"] = studies
        return f"{reverse('viewer:viewer')}?{query.urlencode()}"
    report = report_start(actor=actor, reading_item_id=item.pk, at=clock.now())
    return reverse("reports:report", args=[report.pk])


def _look_url(actor: Actor, pk: int, *, report: bool = False) -> str:
    """Return where to look at an exam without claiming it: its report, its images, its patient."""
    item = item_access(actor, pk)
    written = report_of_item(item) if report else None
    if written is not None:
        return reverse("reports:report", args=[written.pk])
    if shown := viewer_query(list(studies_of(item))):
        return f"{reverse('viewer:viewer')}?{urlencode({'StudyInstanceUIDs': shown})}"
    return reverse("workspace:patient", kwargs={"pk": current(item.patient).pk})


def _go(request: HttpRequest, url: str) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponseClientRedirect(url)
    return HttpResponse(status=303, headers={"Location": url})


def _said(item: ReadingItem, words: str, undo: str = "") -> HttpResponse:
    name = f"{person_name(current(item.patient))}, {item.description}"
    return toast(HttpResponse(status=204), words.format(name), undo_url=undo)


def _query(filters: ReadingFilters, **more: str) -> str:
    query = QueryDict(mutable=True)
    query.update(filters.as_dict() | more)
    return f"?{query.urlencode()}" if query else ""


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 12 else otherwise
