"""A room's day as its technologist sees it: who is on the table, who comes next, what is here."""

import datetime
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Prefetch, Q
from pydicom.dataset import Dataset

from apps.accounts.domain import Permission
from apps.accounts.models import Site
from apps.core.actors import Actor
from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient, PatientIdentifier
from apps.patients.selectors import current, primary_identifier
from apps.scheduling import wall_time
from apps.scheduling.models import Room, ScheduledStep
from apps.scheduling.selectors import (
    exams_to_book,
    length_of,
    modalities_that_do,
    steps_visible_to,
    zone_of,
)
from apps.studies.models import Instance, Study
from apps.studies.selectors import studies_visible_to
from apps.worklists.models import PerformedStep
from apps.worklists.performing.rules import IN_PROGRESS, referenced_instances

WAITING = ("ARRIVED", "READY")
TO_COME = ("SCHEDULED", *WAITING)
OVER = ("COMPLETED", "DEPARTED", "DISCONTINUED")
ORDER_OF_STATES = {"STARTED": 0, "READY": 1, "ARRIVED": 2, "SCHEDULED": 3}
LATEST = 8
SOURCES = {"mpps": "by the scanner", "images": "by its images", "person": "by hand"}


@dataclass(slots=True)
class Turn:
    """One exam of a room's day."""

    step: ScheduledStep
    missed: bool = False
    study: Study | None = None
    performed: PerformedStep | None = None

    @property
    def exam(self) -> RequestedProcedure:
        """What is to be done."""
        return self.step.requested_procedure

    @property
    def patient(self) -> Patient:
        """The survivor of a merge."""
        return current(self.exam.order.patient)

    @property
    def number(self) -> PatientIdentifier | None:
        """The patient's number that goes out."""
        return primary_identifier(self.patient)

    @property
    def state(self) -> str:
        """The key of its words."""
        return "appt.noshow" if self.missed else f"sps.{self.step.status}"

    @property
    def minutes(self) -> int:
        """How long it is planned to take."""
        return int(length_of(self.exam) / wall_time.MINUTE)

    @property
    def source(self) -> str:
        """What moved it, in words."""
        return SOURCES.get(self.step.status_source, "")

    @property
    def title(self) -> str:
        """The exam with its modality, said once."""
        if self.exam.description.startswith(self.exam.modality):
            return self.exam.description
        return f"{self.exam.modality} {self.exam.description}"

    @property
    def images(self) -> int:
        """How many images are here."""
        return self.study.number_of_instances if self.study else 0

    @property
    def announced(self) -> int:
        """How many images the scanner says it made; 0 while it says nothing."""
        if self.performed is None:
            return 0
        return len(referenced_instances(Dataset.from_json(self.performed.attributes)))

    @property
    def coming(self) -> int:
        """How many of those are not here yet."""
        return max(0, self.announced - self.images)

    @property
    def protocol(self) -> str:
        """What the scanner says it did; empty where that is what was ordered."""
        if self.performed is None:
            return ""
        attributes = Dataset.from_json(self.performed.attributes)
        codes = attributes.get("PerformedProtocolCodeSequence") or []
        done = {str(code.get("CodeValue") or "") for code in codes}
        known = self.exam.procedure.code if self.exam.procedure else self.exam.code
        if not done or known in done:
            return ""
        return ", ".join(str(code.get("CodeMeaning") or code.get("CodeValue")) for code in codes)

    @property
    def unended(self) -> bool:
        """Whether all images are here and nobody said that the exam ended."""
        return (
            self.step.status == "STARTED"
            and self.study is not None
            and self.study.completeness == "COMPLETE"
        )


@dataclass(slots=True)
class Door:
    """A room in the row of rooms."""

    room: Room
    running: ScheduledStep | None = None
    waiting: int = 0
    missed: int = 0


@dataclass(slots=True)
class RoomDay:
    """What the page of a room shows."""

    site: Site
    room: Room
    doors: list[Door]
    now: Turn | None = None
    next: list[Turn] = field(default_factory=list)
    over: list[Turn] = field(default_factory=list)
    unended: list[Turn] = field(default_factory=list)
    pictures: list[Instance] = field(default_factory=list)

    @property
    def following(self) -> Turn | None:
        """Who comes after the one on the table."""
        return self.next[0] if self.next else None


def room_day(
    *,
    actor: Actor,
    room: Room,
    rooms: Sequence[Room],
    at: datetime.datetime,
    chosen: int | None = None,
) -> RoomDay:
    """Return a room's day, and how it stands in the others.

    Args:
        actor: holds `perform.write`.
        room: the room.
        rooms: all of its site, in their order.
        at: now.
        chosen: the step to show as the present one; the one that runs, else the next where None.
    """
    today = wall_time.wall(at, zone_of(room.site)).date()
    visible = steps_visible_to(actor, Permission.PERFORM_WRITE).order_by("start_at", "pk")
    by_room: dict[int, list[ScheduledStep]] = defaultdict(list)
    stations = {one.scheduled_station_ae_title: one.pk for one in rooms}
    for step in (
        visible.filter(Q(start_date=today) | Q(status="STARTED"), site=room.site)
        .filter(~Q(status="CANCELED") | Q(appointment__status="noshow"))
        .select_related(None)
        .select_related("appointment")
    ):
        held = step.appointment
        key = held.room_id if held else stations.get(step.scheduled_station_ae_title)
        if key is not None:
            by_room[key].append(step)
    steps = visible.filter(pk__in=[step.pk for step in by_room[room.pk]]).prefetch_related(
        "requested_procedure__order__patient__identifiers",
        "requested_procedure__order__patient__survivor__identifiers",
        Prefetch("performed_steps", PerformedStep.objects.order_by("-started_at")),
    )
    day = RoomDay(room.site, room, [_door(one, by_room[one.pk]) for one in rooms])
    _sort(day, _turns(actor, list(steps)), chosen)
    if day.now and day.now.study:
        day.pictures = _latest(day.now.study)
    return day


def _door(room: Room, steps: list[ScheduledStep]) -> Door:
    door = Door(room)
    for step in steps:
        if step.status == "STARTED":
            door.running = step
        elif step.status in WAITING:
            door.waiting += 1
        elif _missed(step):
            door.missed += 1
    return door


def _missed(step: ScheduledStep) -> bool:
    return step.appointment is not None and step.appointment.status == "noshow"


def _turns(actor: Actor, steps: list[ScheduledStep]) -> list[Turn]:
    exams = [step.requested_procedure_id for step in steps]
    studies: dict[int, Study] = {}
    for study in studies_visible_to(actor).filter(matches__requested_procedure__in=exams):
        for match in study.matches.all():
            studies[match.requested_procedure_id] = study
    return [
        Turn(
            step,
            missed=_missed(step),
            study=studies.get(step.requested_procedure_id),
            performed=_told(step),
        )
        for step in steps
    ]


def _told(step: ScheduledStep) -> PerformedStep | None:
    """The scanner's step that counts: the one in progress, else the latest."""
    told = list(step.performed_steps.all())
    running = [one for one in told if one.status == IN_PROGRESS]
    return next(iter(running or told), None)


def _sort(day: RoomDay, turns: list[Turn], chosen: int | None) -> None:
    waiting = sorted(
        (turn for turn in turns if not turn.missed and turn.step.status in ORDER_OF_STATES),
        key=lambda turn: ORDER_OF_STATES[turn.step.status],
    )
    asked = [turn for turn in turns if turn.step.pk == chosen]
    day.now = next(iter(asked or waiting), None)
    others = [turn for turn in turns if turn is not day.now]
    day.next = [turn for turn in others if turn.missed or turn.step.status in TO_COME]
    day.over = [turn for turn in others if not turn.missed and turn.step.status in OVER]
    day.unended = [turn for turn in others if turn.step.status == "STARTED"]


def _latest(study: Study) -> list[Instance]:
    """Return the images that came last, the oldest of them first."""
    newest = (
        Instance.objects.filter(series__study=study, rows__isnull=False)
        .select_related("series")
        .order_by("-received_at", "-pk")[:LATEST]
    )
    return list(newest)[::-1]


def walk_ins(actor: Actor, room: Room) -> list[RequestedProcedure]:
    """Return the exams without appointment that a room could take now, the most urgent first."""
    return list(
        exams_to_book(actor, Permission.PERFORM_WRITE)
        .filter(order__site=room.site, modality__in=modalities_that_do(room.modality))
        .prefetch_related("order__patient__identifiers")[:20]
    )
