"""Reading rooms, slots and the day. What the actor may not see does not exist."""

import datetime
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Case, Exists, IntegerField, OuterRef, QuerySet, Value, When

from apps.accounts.domain import Permission
from apps.accounts.models import Site
from apps.core.actors import Actor, ActorKind
from apps.core.errors import NotFoundError
from apps.orders.models import RequestedProcedure
from apps.scheduling import policies, wall_time
from apps.scheduling.domain import HOLDS_SLOT, LIVE
from apps.scheduling.models import Appointment, OpeningHours, Room, ScheduledStep
from apps.scheduling.wall_time import Span

SEARCH_DAYS = 56
WINDOW_DAYS = 7
BOOKABLE = ("RE", "SC", "IP")
END_OF_DAY = datetime.time(23, 59)
PROJECTION_RADIOGRAPHY = frozenset({"CR", "DX"})
DEFAULT_MINUTES = 30


@dataclass(frozen=True, slots=True)
class Slot:
    """A free time in a room that fits an exam."""

    room: Room
    span: Span

    @property
    def start_local(self) -> datetime.datetime:
        """Wall time of its start."""
        return wall_time.wall(self.span.start, zone_of(self.room.site))


def zone_of(site: Site) -> ZoneInfo:
    """Return the site's time zone."""
    return ZoneInfo(site.timezone)


def sites_visible_to(actor: Actor) -> QuerySet[Site]:
    """Return the sites whose schedule the actor may open."""
    sites = Site.objects.order_by("code")
    if actor.kind is ActorKind.SYSTEM or actor.all_sites:
        return sites
    return sites.filter(pk__in=actor.sites)


def rooms_visible_to(
    actor: Actor, permission: Permission = Permission.SCHEDULE_READ
) -> QuerySet[Room]:
    """Return the rooms in use at the actor's sites, in the order people know them by."""
    return (
        Room.objects.filter(policies.rooms_visible(actor, permission), active=True)
        .select_related("site")
        .order_by("site", "position", "code")
    )


def room_access(
    actor: Actor, room_id: int, permission: Permission = Permission.SCHEDULE_READ
) -> Room:
    """Return a room in use.

    Raises:
        NotFoundError: absent, out of use, or of another site.
    """
    room = rooms_visible_to(actor, permission).filter(pk=room_id).first()
    if room is None:
        raise NotFoundError(room=room_id)
    return room


def exam_access(
    actor: Actor, requested_procedure_id: int, permission: Permission = Permission.SCHEDULE_READ
) -> RequestedProcedure:
    """Return an exam with its order and patient.

    Raises:
        NotFoundError: absent, or hidden from the actor.
    """
    exam = (
        RequestedProcedure.objects.filter(policies.exams_visible(actor, permission))
        .select_related("procedure", "order__patient__survivor", "order__site", "order__referrer")
        .filter(pk=requested_procedure_id)
        .first()
    )
    if exam is None:
        raise NotFoundError(requested_procedure=requested_procedure_id)
    return exam


def steps_visible_to(
    actor: Actor, permission: Permission = Permission.SCHEDULE_READ
) -> QuerySet[ScheduledStep]:
    """Return the scheduled steps on which the actor holds the permission."""
    return ScheduledStep.objects.filter(policies.steps_visible(actor, permission)).select_related(
        "appointment__room__site",
        "site",
        "requested_procedure__procedure",
        "requested_procedure__order__patient__survivor",
    )


def step_access(
    actor: Actor, step_id: int, permission: Permission = Permission.SCHEDULE_READ
) -> ScheduledStep:
    """Return a scheduled step with its appointment, exam, order and patient.

    Raises:
        NotFoundError: absent, or hidden from the actor.
    """
    step = steps_visible_to(actor, permission).filter(pk=step_id).first()
    if step is None:
        raise NotFoundError(step=step_id)
    return step


def appointment_of(actor: Actor, requested_procedure_id: int) -> int | None:
    """Return the key of the appointment that an exam has now, if it has one."""
    return (
        steps_visible_to(actor)
        .filter(requested_procedure=requested_procedure_id, status__in=LIVE)
        .values_list("appointment", flat=True)
        .first()
    )


def exams_to_book(
    actor: Actor, permission: Permission = Permission.SCHEDULE_WRITE
) -> QuerySet[RequestedProcedure]:
    """Return the exams of orders that may be booked and have no live step, most urgent first."""
    live = ScheduledStep.objects.filter(
        requested_procedure=OuterRef("pk"), status__in=(*LIVE, "COMPLETED", "DEPARTED")
    )
    rank = Case(
        When(order__priority="stat", then=Value(0)),
        When(order__priority="urgent", then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    return (
        RequestedProcedure.objects.filter(
            policies.exams_visible(actor, permission), ~Exists(live), order__status__in=BOOKABLE
        )
        .select_related("procedure", "order__patient__survivor", "order__site", "order__referrer")
        .annotate(rank=rank)
        .order_by("rank", "order__ordered_at", "pk")
    )


def modality_of(exam: RequestedProcedure) -> str:
    """Return the modality that an exam needs; empty while its code is unknown."""
    return exam.modality or (exam.procedure.modality if exam.procedure else "")


def modalities_that_do(modality: str) -> frozenset[str]:
    """Return the modalities of rooms that can do an exam: CR and DX stand for one another."""
    return PROJECTION_RADIOGRAPHY if modality in PROJECTION_RADIOGRAPHY else frozenset({modality})


def length_of(exam: RequestedProcedure, minutes: int | None = None) -> datetime.timedelta:
    """Return how long an exam holds its room: the catalogue's minutes unless others are given."""
    known = exam.procedure.duration_minutes if exam.procedure else DEFAULT_MINUTES
    return wall_time.rounded_length(minutes or known)


def open_spans(
    rooms: Collection[Room], first: datetime.date, last: datetime.date
) -> dict[int, list[Span]]:
    """Return when each room is open from one wall date to another, by the room's key."""
    hours: dict[tuple[int, int], list[tuple[datetime.time, datetime.time]]] = defaultdict(list)
    for row in OpeningHours.objects.filter(room__in=rooms):
        hours[row.room_id, row.weekday].append((row.opens, row.closes))
    result: dict[int, list[Span]] = {}
    for room in rooms:
        spans: list[Span] = []
        for offset in range((last - first).days + 1):
            date = first + datetime.timedelta(days=offset)
            spans += _open_on(date, hours[room.pk, date.weekday()], zone_of(room.site))
        result[room.pk] = wall_time.joined(spans)
    return result


def _open_on(
    date: datetime.date, hours: Iterable[tuple[datetime.time, datetime.time]], zone: ZoneInfo
) -> list[Span]:
    """As `wall_time.opening`; 23:59 stands for the end of the day, which a TIME cannot hold."""
    whole = wall_time.day(date, zone)
    spans = []
    for opens, closes in hours:
        if closes < END_OF_DAY:
            spans += wall_time.opening(date, [(opens, closes)], zone)
        else:
            spans.append(Span(wall_time.instant(date, opens, zone), whole.end))
    return wall_time.joined(spans)


def busy_spans(rooms: Collection[Room], within: Span) -> dict[int, list[Span]]:
    """Return when each room is held, by the room's key."""
    result: dict[int, list[Span]] = defaultdict(list)
    rows = Appointment.objects.filter(
        room__in=rooms,
        status__in=HOLDS_SLOT,
        period__overlap=DateTimeTZRange(within.start, within.end),
    ).values_list("room_id", "period")
    for room_id, period in rows:
        result[room_id].append(Span(period.lower, period.upper))
    return result


def slots_find(
    actor: Actor,
    exam: RequestedProcedure,
    *,
    at: datetime.datetime,
    since: datetime.datetime | None = None,
    room_ids: Collection[int] = (),
    minutes: int | None = None,
    limit: int = 3,
    every: datetime.timedelta | None = None,
    days: int = SEARCH_DAYS,
) -> list[Slot]:
    """Return the first free times that fit an exam, over all rooms that can do it.

    Args:
        actor: sees the rooms of its sites only.
        exam: what is to be booked.
        at: now; nothing before it is offered.
        since: the earliest start wanted.
        room_ids: only these rooms; all that fit where empty.
        minutes: length, where it differs from the catalogue's.
        limit: how many are wanted.
        every: pace of the starts within one gap; its length where None.
        days: how far ahead to look.
    """
    rooms = [
        room
        for room in rooms_visible_to(actor).filter(
            site=exam.order.site_id, modality__in=modalities_that_do(modality_of(exam))
        )
        if not room_ids or room.pk in room_ids
    ]
    if not rooms:
        return []
    earliest = max(since or at, at)
    length = length_of(exam, minutes)
    zone = zone_of(exam.order.site)
    first = wall_time.wall(earliest, zone).date()
    found: list[Slot] = []
    for offset in range(0, days, WINDOW_DAYS):
        start = first + datetime.timedelta(days=offset)
        end = start + datetime.timedelta(days=min(WINDOW_DAYS, days - offset) - 1)
        window = Span(max(wall_time.day(start, zone).start, earliest), wall_time.day(end, zone).end)
        found += _slots_in(rooms, window, length, every)
        if len(found) >= limit:
            break
    return found[:limit]


def _slots_in(
    rooms: list[Room],
    window: Span,
    length: datetime.timedelta,
    every: datetime.timedelta | None,
) -> list[Slot]:
    zone = zone_of(rooms[0].site)
    last = wall_time.wall(window.end - wall_time.MINUTE, zone).date()
    opened = open_spans(rooms, wall_time.wall(window.start, zone).date(), last)
    busy = busy_spans(rooms, window)
    slots = [
        Slot(room, Span(start, start + length))
        for room in rooms
        for gap in wall_time.gaps(opened[room.pk], busy[room.pk])
        if gap.end > window.start
        for start in wall_time.starts(Span(max(gap.start, window.start), gap.end), length, every)
    ]
    return sorted(slots, key=lambda slot: (slot.span.start, slot.room.position, slot.room.pk))
