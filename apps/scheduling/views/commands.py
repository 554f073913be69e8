"""What the pages of the schedule ask to be done: each a POST, for scripts and plain forms alike."""

import datetime
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST

from apps.accounts.pages import page
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import InvalidInputError
from apps.core.toasts import toast
from apps.core.words import person_name, when
from apps.patients.selectors import current
from apps.scheduling import services
from apps.scheduling.models import Appointment

UNDO: dict[str, Callable[..., Appointment]] = {
    "booking": services.appointment_undo_booking,
    "move": services.appointment_undo_move,
    "cancel": services.appointment_undo_cancel,
    "arrival": services.appointment_undo_arrival,
    "noshow": services.appointment_undo_noshow,
}
UNDONE = {
    "booking": "Not booked after all",
    "move": "Back where it was",
    "cancel": "Booked again",
    "arrival": "Not arrived after all",
    "noshow": "Booked again",
}


@require_POST
@page()
def book(request: HttpRequest) -> HttpResponse:
    """Book an exam at a time in a room."""
    room, start = _target(request)
    made = services.appointment_book(
        actor=_actor(request),
        requested_procedure_id=_number(request, "exam"),
        room_id=room,
        start_at=start,
        at=clock.now(),
        duration_minutes=_minutes(request),
        note=request.POST.get("note", ""),
    )
    return _done(request, made, f"{_who(made)}: booked {_where(made)}", "booking")


@require_POST
@page()
def move(request: HttpRequest, pk: int) -> HttpResponse:
    """Move an appointment to another time or room."""
    room, start = _target(request)
    moved = services.appointment_move(
        actor=_actor(request),
        appointment_id=pk,
        room_id=room,
        start_at=start,
        at=clock.now(),
        duration_minutes=_minutes(request),
        version=_version(request),
    )
    return _done(request, moved, f"{_who(moved)}: moved to {_where(moved)}", "move")


@require_POST
@page()
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Cancel an appointment with a reason, one of the list or one's own words."""
    reason = request.POST.get("other", "").strip() or request.POST.get("reason", "")
    gone = services.appointment_cancel(
        actor=_actor(request),
        appointment_id=pk,
        reason=reason,
        at=clock.now(),
        version=_version(request),
    )
    return _done(request, gone, f"{_who(gone)}: cancelled, to be booked again", "cancel")


@require_POST
@page()
def arrive(request: HttpRequest, pk: int) -> HttpResponse:
    """Note that the patient has come."""
    here = services.appointment_arrive(
        actor=_actor(request), appointment_id=pk, at=clock.now(), version=_version(request)
    )
    return _done(request, here, f"{_who(here)}: arrived", "arrival")


@require_POST
@page()
def check_in(request: HttpRequest, pk: int) -> HttpResponse:
    """Note that the patient is ready."""
    here = services.appointment_check_in(
        actor=_actor(request), appointment_id=pk, at=clock.now(), version=_version(request)
    )
    return _done(request, here, f"{_who(here)}: ready", "arrival")


@require_POST
@page()
def noshow(request: HttpRequest, pk: int) -> HttpResponse:
    """Note that the patient did not come."""
    missed = services.appointment_noshow(
        actor=_actor(request), appointment_id=pk, at=clock.now(), version=_version(request)
    )
    return _done(request, missed, f"{_who(missed)}: did not come", "noshow")


@require_POST
@page()
def undo(request: HttpRequest, pk: int, kind: str, version: int) -> HttpResponse:
    """Take back what was done to an appointment at this version."""
    back = UNDO[kind](actor=_actor(request), appointment_id=pk, at=clock.now(), version=version)
    return toast(HttpResponse(status=204), f"{_who(back)}: {UNDONE[kind].lower()}")


def _done(request: HttpRequest, held: Appointment, text: str, kind: str) -> HttpResponse:
    """Say what was done, with its undo: in a toast now, or on the page that a form goes to."""
    undo_url = reverse("scheduling:undo", args=[held.pk, kind, held.version])
    if request.headers.get("HX-Request"):
        answer = JsonResponse({"appointment": held.pk, "version": held.version})
        return toast(answer, text, undo_url=undo_url)
    messages.success(request, text, extra_tags=undo_url)
    date = held.scheduled_steps.latest("pk").start_date
    address = reverse("scheduling:calendar")
    return redirect(f"{address}?site={held.room.site.code}&date={date}&view=list")


def _who(held: Appointment) -> str:
    step = held.scheduled_steps.select_related(
        "requested_procedure__order__patient__survivor"
    ).latest("pk")
    return str(person_name(current(step.requested_procedure.order.patient)))


def _where(held: Appointment) -> str:
    return f"{held.room.name}, {when(held.period.lower)}"


def _target(request: HttpRequest) -> tuple[int, datetime.datetime]:
    """Return room and start: of two fields, or of one that holds both (`slot`: `3 2026-…`)."""
    slot = request.POST.get("slot", "")
    room, _, text = slot.partition(" ") if slot else ("", "", request.POST.get("start", ""))
    try:
        start = parse_datetime(text.strip())
    except ValueError:
        start = None
    if start is None:
        message = "Choose a time."
        raise InvalidInputError(message, field="slot")
    number = room or request.POST.get("room", "")
    if not number.isdigit():
        message = "Choose a room."
        raise InvalidInputError(message, field="room")
    return int(number), start


def _number(request: HttpRequest, name: str) -> int:
    text = request.POST.get(name, "")
    if not text.isdigit():
        message = "Choose an exam."
        raise InvalidInputError(message, field=name)
    return int(text)


def _minutes(request: HttpRequest) -> int | None:
    text = request.POST.get("minutes", "")
    return int(text) if text.isdigit() else None


def _version(request: HttpRequest) -> int | None:
    text = request.POST.get("version", "")
    return int(text) if text.isdigit() else None


def _actor(request: HttpRequest) -> Actor:
    return request.actor  # type: ignore[attr-defined]
