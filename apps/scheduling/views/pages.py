"""Reading the schedule: the day, the side panel, one exam, one appointment."""

import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.accounts.domain import Permission
from apps.accounts.pages import page
from apps.audit.steps import record_read
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.orders.models import RequestedProcedure
from apps.patients.selectors import current, primary_identifier
from apps.scheduling import audit_events, selectors, wall_time
from apps.scheduling.calendar import plan_of
from apps.scheduling.domain import APPOINTMENT, AWAITED, SCHEDULED_STEP
from apps.scheduling.views.places import Place, place_of

READ = Permission.SCHEDULE_READ
WRITE = Permission.SCHEDULE_WRITE
NEXT = 8
OFFERS = 3
FORM_SLOTS = 24
ONE_IN_EACH_GAP = datetime.timedelta(days=1)
PACE = datetime.timedelta(minutes=15)
REASONS = (
    "The patient cannot come",
    "The patient is ill",
    "The referrer takes it back",
    "The scanner is out of order",
    "Booked in error",
)


@require_GET
@page(READ)
def calendar(request: HttpRequest) -> HttpResponse:
    """Show a day by rooms, a week of a room, or the day as a list."""
    actor, at = _actor(request), clock.now()
    place = place_of(request, actor, at)
    plan = plan_of(actor, place.site, place.cells, at)
    record_read(
        actor=actor, event=audit_events.DAY_VIEWED, door="page", query=place.query, key=_site(place)
    )
    shown = {"place": place, "plan": plan, "may_write": actor.may(WRITE)}
    if request.headers.get("HX-Request"):
        name = "list" if place.view == "list" else "day"
        return render(request, f"scheduling/_{name}.html", shown)
    return render(request, "scheduling/calendar.html", shown | _panel(request, actor, place, at))


@require_GET
@page(READ)
def panel(request: HttpRequest) -> HttpResponse:
    """Show the side panel: an exam to book with its offers, an appointment, or what waits."""
    actor, at = _actor(request), clock.now()
    place = place_of(request, actor, at)
    return render(request, "scheduling/_panel.html", _panel(request, actor, place, at))


@require_GET
@page(READ)
def exam(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one exam to book with a form of free times: all that the grid can, without a grid."""
    actor, at = _actor(request), clock.now()
    place = place_of(request, actor, at)
    shown = _exam(actor, pk, at) | {"place": place, "may_write": actor.may(WRITE)}
    shown["slots"] = _free(request, actor, shown["exam"], at)
    return render(request, "scheduling/exam.html", shown)


@require_GET
@page(READ)
def appointment(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one appointment with forms to move and cancel it."""
    actor, at = _actor(request), clock.now()
    place = place_of(request, actor, at)
    shown = _appointment(actor, pk, at) | {"place": place, "may_write": actor.may(WRITE)}
    if shown["may"]["move"]:
        shown["slots"] = _free(request, actor, shown["exam"], at)
    return render(request, "scheduling/appointment.html", shown)


def _panel(
    request: HttpRequest, actor: Actor, place: Place, at: datetime.datetime
) -> dict[str, Any]:
    """Return what the side panel shows."""
    shown: dict[str, Any] = {
        "place": place,
        "may_write": actor.may(WRITE),
        "reasons": REASONS,
        "panel_open": "panel" in request.GET,
    }
    number, booked = request.GET.get("exam", ""), request.GET.get("appointment", "")
    if booked.isdigit():
        return shown | _appointment(actor, int(booked), at) | {"panel_open": True}
    held = selectors.appointment_of(actor, int(number)) if number.isdigit() else None
    if held is not None:
        return shown | _appointment(actor, held, at) | {"panel_open": True}
    if number.isdigit():
        shown |= _exam(actor, int(number), at) | {"panel_open": True}
        shown["offers"] = _offers(actor, shown["exam"], place, at)
    if actor.may(WRITE):
        waiting = selectors.exams_to_book(actor).filter(order__site=place.site)
        keys = list(waiting.values_list("pk", flat=True))
        shown["total"] = len(keys)
        first = [key for key in keys if str(key) != number][:NEXT]
        shown["next"] = list(waiting.filter(pk__in=first))
        record_read(actor=actor, event=audit_events.TO_BOOK_VIEWED, door="page", key=_site(place))
    return shown


def _exam(actor: Actor, pk: int, at: datetime.datetime) -> dict[str, Any]:
    """Return an exam to book; one that is booked leads to its appointment."""
    found = selectors.exam_access(actor, pk)
    record_read(
        actor=actor,
        event=audit_events.EXAM_VIEWED,
        door="page",
        patient=found.order.patient_id,
        key=f"requested-procedure:{pk}",
    )
    patient = current(found.order.patient)
    return {
        "exam": found,
        "patient": patient,
        "number": primary_identifier(patient),
        "title": _title(found),
        "minutes": int(selectors.length_of(found) / wall_time.MINUTE),
        "at": at,
    }


def _appointment(actor: Actor, pk: int, at: datetime.datetime) -> dict[str, Any]:
    step = selectors.steps_visible_to(actor).filter(appointment=pk).order_by("-pk").first()
    if step is None or step.appointment is None:
        raise NotFoundError(appointment=pk)
    held = step.appointment
    may = {
        "move": held.status in {"booked", "arrived", "checked-in"} and step.status in AWAITED,
        "cancel": APPOINTMENT.allows("cancel", held.status)
        and SCHEDULED_STEP.allows("cancel", step.status),
        "arrive": APPOINTMENT.allows("arrive", held.status)
        and SCHEDULED_STEP.allows("arrive", step.status),
        "check_in": APPOINTMENT.allows("check-in", held.status)
        and SCHEDULED_STEP.allows("ready", step.status),
        "miss": APPOINTMENT.allows("miss", held.status) and held.period.lower <= at,
    }
    shown = _exam(actor, step.requested_procedure_id, at)
    length = int((held.period.upper - held.period.lower) / wall_time.MINUTE)
    return shown | {"step": step, "appointment": held, "may": may, "minutes": length}


def _offers(
    actor: Actor, found: RequestedProcedure, place: Place, at: datetime.datetime
) -> list[selectors.Slot]:
    """Return the first times that fit, one of each gap, from the day that is looked at."""
    since = wall_time.day(place.date, selectors.zone_of(place.site)).start
    return selectors.slots_find(
        actor, found, at=at, since=since, limit=OFFERS, every=ONE_IN_EACH_GAP
    )


def _free(
    request: HttpRequest, actor: Actor, found: RequestedProcedure, at: datetime.datetime
) -> list[selectors.Slot]:
    """Return free times for a form, from the date it asks for."""
    place = place_of(request, actor, at)
    since = wall_time.day(place.date, selectors.zone_of(found.order.site)).start
    return selectors.slots_find(actor, found, at=at, since=since, limit=FORM_SLOTS, every=PACE)


def _title(found: RequestedProcedure) -> str:
    """Return the exam with its modality, said once."""
    if found.description.startswith(found.modality):
        return found.description
    return f"{found.modality} {found.description}"


def _actor(request: HttpRequest) -> Actor:
    return request.actor  # type: ignore[attr-defined]


def _site(place: Place) -> str:
    return f"site:{place.site.code}"
