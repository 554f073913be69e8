"""A day by rooms, or a week of one room, as the grid of the page places it.

Minutes count from the first instant of a column's date, so that the hour which comes twice in
autumn has rows of its own and the one that spring skips has none.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from apps.accounts.models import Site
from apps.core.actors import Actor
from apps.core.status import status_words
from apps.core.words import clock, minutes_words
from apps.orders.models import Procedure, RequestedProcedure
from apps.patients.models import Patient
from apps.patients.selectors import current
from apps.scheduling import wall_time
from apps.scheduling.domain import AWAITED, HOLDS_SLOT, SLOT_MINUTES
from apps.scheduling.models import Appointment, Room, ScheduledStep
from apps.scheduling.selectors import length_of, open_spans, steps_visible_to, zone_of
from apps.scheduling.wall_time import MINUTE, Span

FIRST_HOUR, LAST_HOUR = 8, 18
LONGEST = 12 * 60
CROWDED = 85


@dataclass(slots=True)
class Item:
    """An appointment, or an exam without one, in its place.

    Attributes:
        half: `a` or `b` where two share a place, of which at most one holds it.
    """

    step: ScheduledStep
    column: int
    minutes: int
    length: int
    span: Span
    half: str = ""

    @property
    def place(self) -> str:
        """Classes of the grid."""
        return f"rm-{self.column} {at_class(self.minutes)} for-{self.length}"

    @property
    def exam(self) -> RequestedProcedure:
        """What is done."""
        return self.step.requested_procedure

    @property
    def patient(self) -> Patient:
        """Whom it is for: the survivor of a merge."""
        return current(self.exam.order.patient)

    @property
    def state(self) -> str:
        """The key of its words: an appointment's, or the step's where there is none."""
        appointment = self.step.appointment
        if appointment is None:
            return f"sps.{self.step.status}"
        return f"appt.{appointment.status}"

    @property
    def state_words(self) -> str:
        """Its state in words."""
        return status_words("sps.STARTED" if self.runs else self.state).words

    @property
    def icon(self) -> str:
        """The icon of its state; none where it is simply booked."""
        return "" if self.state == "appt.booked" else status_words(self.state).icon

    @property
    def short(self) -> str:
        """The exam without the modality that its room says already."""
        words = self.exam.description.removeprefix(f"{self.exam.modality} ")
        return words[:1].upper() + words[1:]

    @property
    def runs(self) -> bool:
        """Whether the scanner is at it."""
        return self.step.status == "STARTED"

    @property
    def movable(self) -> bool:
        """Whether it can be given another place."""
        return self.step.appointment is not None and self.step.status in AWAITED

    @property
    def holds(self) -> bool:
        """Whether it keeps its place from others."""
        appointment = self.step.appointment
        return appointment is not None and appointment.status in HOLDS_SLOT

    @property
    def words(self) -> str:
        """What a pointer's rest and a screen reader say."""
        local = wall_time.wall(self.span.start, zone_of(self.step.site))
        length = minutes_words(self.span.length / MINUTE)
        return f"{clock(local.time())}, {length}"


@dataclass(slots=True)
class Column:
    """A room on a date."""

    number: int
    room: Room
    date: datetime.date
    whole: Span
    closed: list[tuple[int, int]] = field(default_factory=list)
    open_minutes: int = 0
    booked_minutes: int = 0

    @property
    def percent(self) -> int:
        """How much of its opening hours is booked."""
        return (
            min(100, round(100 * self.booked_minutes / self.open_minutes))
            if self.open_minutes
            else 0
        )

    @property
    def crowded(self) -> bool:
        """Whether hardly anything is left."""
        return self.percent >= CROWDED

    def minutes(self, moment: datetime.datetime) -> int:
        """Return the row of an instant, as minutes from the date's first."""
        raw = int((moment - self.whole.start) / MINUTE)
        return max(0, raw - raw % SLOT_MINUTES)

    def blocks(self) -> list[str]:
        """Classes of the places where the room is closed; one piece each 12 hours at most."""
        pieces = []
        for start, end in self.closed:
            for piece in range(start, end, LONGEST):
                length = min(LONGEST, end - piece)
                pieces.append(f"rm-{self.number} {at_class(piece)} for-{length}")
        return pieces


@dataclass(slots=True)
class Plan:
    """What the grid shows.

    Attributes:
        now: class of the present row; empty where today is not shown.
        taken: places held by exams that the actor may not see: it learns that, and no more.
    """

    site: Site
    columns: list[Column]
    items: list[Item]
    first_hour: int
    hours: list[tuple[str, str]]
    now: str = ""
    taken: list[str] = field(default_factory=list)

    @property
    def booked(self) -> int:
        """How many exams it shows."""
        return len(self.items)


def at_class(minutes: int) -> str:
    """Return the class of a row."""
    return f"at-{minutes // 60:02d}{minutes % 60:02d}"


def plan_of(
    actor: Actor, site: Site, places: Iterable[tuple[Room, datetime.date]], at: datetime.datetime
) -> Plan:
    """Return the grid of these rooms on these dates.

    Two queries for the hours and the steps, however many rooms there are.
    """
    zone = zone_of(site)
    columns = [
        Column(number, room, date, wall_time.day(date, zone))
        for number, (room, date) in enumerate(places, start=1)
    ]
    if not columns:
        return Plan(site, [], [], FIRST_HOUR, [])
    _open(columns)
    items = _items(actor, columns)
    first, last = _shown(columns, items)
    one = columns[0]
    hours = [
        (
            f"{at_class(minutes)} for-60",
            clock(wall_time.wall(one.whole.start + minutes * MINUTE, zone).time()),
        )
        for minutes in range(first * 60, last * 60, 60)
    ]
    today = [column for column in columns if column.whole.start <= at < column.whole.end]
    now = at_class(today[0].minutes(at)) if today else ""
    if now and not first * 60 <= today[0].minutes(at) < last * 60:
        now = ""
    return Plan(site, columns, items, first, hours, now, _taken(columns, items))


def _open(columns: list[Column]) -> None:
    dates = [column.date for column in columns]
    rooms = list({column.room.pk: column.room for column in columns}.values())
    opened = open_spans(rooms, min(dates), max(dates))
    for column in columns:
        spans = [span for span in opened[column.room.pk] if span.overlaps(column.whole)]
        column.open_minutes = sum(int(span.length / MINUTE) for span in spans)
        column.closed = [
            (column.minutes(gap.start), column.minutes(gap.end))
            for gap in wall_time.gaps([column.whole], spans)
        ]


def _items(actor: Actor, columns: list[Column]) -> list[Item]:
    by_place = {(column.room.scheduled_station_ae_title, column.date): column for column in columns}
    by_room = {(column.room.pk, column.date): column for column in columns}
    dates = [column.date for column in columns]
    site = columns[0].room.site
    steps = (
        steps_visible_to(actor)
        .select_related(None)
        .select_related(
            "appointment",
            "requested_procedure__order__patient__survivor",
        )
        .filter(site=site, start_date__range=(min(dates), max(dates)))
        .order_by("start_at", "pk")
    )
    catalogue = Procedure.objects.in_bulk()
    items: list[Item] = []
    for step in steps:
        step.site = site  # one object for all, as the rooms and the catalogue's lines are
        exam = step.requested_procedure
        exam.procedure = catalogue.get(exam.procedure_id) if exam.procedure_id else None
        appointment = step.appointment
        if appointment is None:
            column = by_place.get((step.scheduled_station_ae_title, step.start_date))
            if column is None or step.status == "CANCELED":
                continue
            span = Span(step.start_at, step.start_at + length_of(step.requested_procedure))
        else:
            column = by_room.get((appointment.room_id, step.start_date))
            if column is None or appointment.status not in (*HOLDS_SLOT, "noshow"):
                continue
            appointment.room = column.room
            span = Span(appointment.period.lower, appointment.period.upper)
        items.append(_placed(step, column, span))
    _share(items)
    return items


def _taken(columns: list[Column], items: list[Item]) -> list[str]:
    shown = {item.step.appointment_id for item in items if item.step.appointment_id}
    whole = Span(
        min(column.whole.start for column in columns), max(column.whole.end for column in columns)
    )
    rows = Appointment.objects.filter(
        room__in={column.room.pk for column in columns},
        status__in=HOLDS_SLOT,
        period__overlap=DateTimeTZRange(whole.start, whole.end),
    ).exclude(pk__in=shown)
    places = []
    for appointment in rows:
        for column in columns:
            start = max(appointment.period.lower, column.whole.start)
            end = min(appointment.period.upper, column.whole.end)
            if column.room.pk == appointment.room_id and start < end:
                length = min(column.minutes(end) - column.minutes(start), LONGEST)
                place = f"rm-{column.number} {at_class(column.minutes(start))}"
                places.append(f"{place} for-{max(length, SLOT_MINUTES)}")
    return places


def _placed(step: ScheduledStep, column: Column, span: Span) -> Item:
    start = column.minutes(span.start)
    rest = int(column.whole.length / MINUTE) - start
    length = min(int(span.length / MINUTE), rest, LONGEST)
    item = Item(step, column.number, start, max(SLOT_MINUTES, length - length % SLOT_MINUTES), span)
    if item.holds:
        column.booked_minutes += length
    return item


def _share(items: list[Item]) -> None:
    """Halve the places of two that overlap, of which at most one holds its place."""
    by_column: dict[int, list[Item]] = defaultdict(list)
    for item in items:
        by_column[item.column].append(item)
    for item in items:
        if item.holds:
            continue
        for other in by_column[item.column]:
            if other is not item and other.span.overlaps(item.span):
                item.half, other.half = "b", other.half or "a"


def _shown(columns: list[Column], items: list[Item]) -> tuple[int, int]:
    """Return the first and the last hour to show: what is open, and what is booked."""
    edges = [(start, end) for column in columns for start, end in _opened(column)] + [
        (item.minutes, item.minutes + item.length) for item in items
    ]
    if not edges:
        return FIRST_HOUR, LAST_HOUR
    first = min(start for start, _ in edges) // 60
    last = -(-max(end for _, end in edges) // 60)
    return first, max(last, first + 1)


def _opened(column: Column) -> list[tuple[int, int]]:
    whole = int(column.whole.length / MINUTE)
    edges, start = [], 0
    for closed_from, closed_to in [*column.closed, (whole, whole)]:
        if start < closed_from:
            edges.append((start, closed_from))
        start = closed_to
    return edges
