"""The technologist's page: a room, its exams today, and big buttons."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.domain import Permission
from apps.accounts.pages import page
from apps.audit.steps import record_read
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.core.toasts import toast
from apps.core.words import person_name
from apps.patients.selectors import current
from apps.scheduling import services as scheduling
from apps.scheduling.models import Room, ScheduledStep
from apps.scheduling.selectors import rooms_visible_to, step_access
from apps.worklists import audit_events, services
from apps.worklists.performing.room import room_day, walk_ins

WRITE = Permission.PERFORM_WRITE
REASONS = (
    "The patient felt unwell",
    "The patient moved too much",
    "Fault of the scanner",
    "Wrong exam chosen",
    "Contrast could not be given",
)


@require_GET
@page(WRITE)
def perform(request: HttpRequest) -> HttpResponse:
    """Go to the room one was in last, else to the first."""
    actor = _actor(request)
    rooms = list(rooms_visible_to(actor, WRITE))
    last = request.session.get("perform-room")
    chosen = next((room for room in rooms if room.pk == last), None)
    home = next((room for room in rooms if room.site_id == actor.home_site), None)
    target = chosen or home or next(iter(rooms), None)
    if target is None:
        return render(request, "worklists/no_rooms.html")
    return redirect("worklists:room", pk=target.pk)


@require_GET
@page(WRITE)
def room(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a room's day."""
    request.session["perform-room"] = pk
    return _shown(request, _room(request, pk))


@require_GET
@page(WRITE)
def without_appointment(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the exams that could be taken now without an appointment."""
    found = _room(request, pk)
    actor = _actor(request)
    exams = walk_ins(actor, found)
    record_read(
        actor=actor,
        event=audit_events.ROOM_VIEWED,
        door="page",
        key=f"room:{found.pk}",
        query="without appointment",
    )
    return render(request, "worklists/walk_in.html", {"room": found, "exams": exams})


@require_POST
@page(WRITE)
def take(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an exam without an appointment into a room."""
    number = request.POST.get("exam", "")
    if not number.isdigit():
        raise NotFoundError
    step = scheduling.walk_in(
        actor=_actor(request),
        requested_procedure_id=int(number),
        room_id=pk,
        at=clock.now(),
    )
    messages.success(request, f"{_who(step)}: here, without appointment")
    return redirect(f"{reverse('worklists:room', args=[pk])}?step={step.pk}")


def _arrive(actor: Actor, step: ScheduledStep, request: HttpRequest) -> None:
    scheduling.appointment_arrive(actor=actor, appointment_id=_appointment(step), at=clock.now())


def _ready(actor: Actor, step: ScheduledStep, request: HttpRequest) -> None:
    scheduling.step_ready(actor=actor, step_id=step.pk, at=clock.now())


def _missed(actor: Actor, step: ScheduledStep, request: HttpRequest) -> None:
    scheduling.appointment_noshow(actor=actor, appointment_id=_appointment(step), at=clock.now())


def _start(actor: Actor, step: ScheduledStep, request: HttpRequest) -> None:
    services.exam_start(actor=actor, step_id=step.pk, at=clock.now())


def _end(actor: Actor, step: ScheduledStep, request: HttpRequest) -> None:
    services.exam_end(actor=actor, step_id=step.pk, at=clock.now())


def _stop(actor: Actor, step: ScheduledStep, request: HttpRequest) -> None:
    reason = request.POST.get("other", "").strip() or request.POST.get("reason", "")
    services.exam_stop(actor=actor, step_id=step.pk, reason=reason, at=clock.now())


def _undo_arrival(actor: Actor, step: ScheduledStep, request: HttpRequest) -> None:
    scheduling.appointment_undo_arrival(
        actor=actor, appointment_id=_appointment(step), at=clock.now()
    )


def _undo_missed(actor: Actor, step: ScheduledStep, request: HttpRequest) -> None:
    scheduling.appointment_undo_noshow(
        actor=actor, appointment_id=_appointment(step), at=clock.now()
    )


def _undo_exam(actor: Actor, step: ScheduledStep, request: HttpRequest) -> None:
    services.exam_undo(actor=actor, step_id=step.pk, at=clock.now())


Deed = Callable[[Actor, ScheduledStep, HttpRequest], None]
DEEDS: dict[str, tuple[Deed, str, str]] = {
    "arrive": (_arrive, "arrived", "undo-arrival"),
    "ready": (_ready, "ready", "undo-arrival"),
    "missed": (_missed, "did not come", "undo-missed"),
    "start": (_start, "exam started", "undo-exam"),
    "end": (_end, "exam ended", "undo-exam"),
    "stop": (_stop, "exam stopped early", "undo-exam"),
    "undo-arrival": (_undo_arrival, "not arrived after all", ""),
    "undo-missed": (_undo_missed, "expected again", ""),
    "undo-exam": (_undo_exam, "taken back", ""),
}


@require_POST
@page(WRITE)
def act(request: HttpRequest, pk: int, deed: str) -> HttpResponse:
    """Do one thing to a step, and answer with the room as it is then."""
    actor = _actor(request)
    do, words, undo = DEEDS[deed]
    do(actor, step_access(actor, pk, WRITE), request)
    step = step_access(actor, pk, WRITE)
    text = f"{_who(step)}: {words}"
    undoable = undo and not (undo == "undo-arrival" and step.appointment is None)
    undo_url = reverse("worklists:act", args=[pk, undo]) if undoable else ""
    number = request.POST.get("room", "")
    if request.headers.get("HX-Request"):
        answer = (
            _shown(request, _room(request, int(number)))
            if number.isdigit()
            else HttpResponse(status=204)
        )
        return toast(answer, text, undo_url=undo_url)
    messages.success(request, text, extra_tags=undo_url)
    return redirect("worklists:room", pk=number) if number else redirect("worklists:perform")


def _shown(request: HttpRequest, found: Room) -> HttpResponse:
    actor, at = _actor(request), clock.now()
    number = request.GET.get("step", "") or request.POST.get("shown", "")
    rooms = list(rooms_visible_to(actor, WRITE).filter(site=found.site_id))
    day = room_day(
        actor=actor,
        room=found,
        rooms=rooms,
        at=at,
        chosen=int(number) if number.isdigit() else None,
    )
    record_read(
        actor=actor,
        event=audit_events.ROOM_VIEWED,
        door="page",
        key=f"room:{found.pk}",
        patient=day.now.exam.order.patient_id if day.now else "",
    )
    url = reverse("worklists:room", args=[found.pk])
    shown: dict[str, Any] = {
        "day": day,
        "now": day.now,
        "at": at,
        "reasons": REASONS,
        "url": f"{url}?step={number}" if number.isdigit() else url,
    }
    name = "room"
    if request.headers.get("HX-Request"):
        name = "_doors" if "doors" in request.headers.get("HX-Target", "") else "_room"
    return render(request, f"worklists/{name}.html", shown)


def _room(request: HttpRequest, pk: int) -> Room:
    found = rooms_visible_to(_actor(request), WRITE).filter(pk=pk).first()
    if found is None:
        raise NotFoundError(room=pk)
    return found


def _appointment(step: ScheduledStep) -> int:
    if step.appointment_id is None:
        message = "This exam has no appointment."
        raise NotFoundError(message)
    return step.appointment_id


def _who(step: ScheduledStep) -> str:
    return str(person_name(current(step.requested_procedure.order.patient)))


def _actor(request: HttpRequest) -> Actor:
    return request.actor  # type: ignore[attr-defined]
