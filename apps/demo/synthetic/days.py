"""What happens on one day in the rooms of a synthetic hospital: pure planning, no database."""

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass

from apps.demo.seed.catalogue import CATALOGUE, Finding, Line
from apps.demo.seed.plan import open_minutes
from apps.demo.synthetic.hospital import RoomRow

MINUTE = dt.timedelta(minutes=1)
SLOT = 5
NIGHT_GAP, EVENING_GAP, DAY_GAP = 75, 25, 4
"""Mean minutes between two exams of a room."""
CANCELLED, MISSED, LOOSE = 0.025, 0.05, 0.052
"""Shares of a past day, added up: cancelled, not come, and images that belong to no order."""

BY_MODALITY = {
    modality: [line for line in CATALOGUE if line.modality == modality]
    for modality in {line.modality for line in CATALOGUE}
}
WEIGHTS = {modality: [line.often for line in lines] for modality, lines in BY_MODALITY.items()}


@dataclass(slots=True)
class Visit:
    """One appointment and what became of it.

    Attributes:
        state: booked, arrived, started, fulfilled, cancelled or noshow; `loose` is images that
            came without an order.
    """

    line: Line
    room: RoomRow
    start: dt.datetime
    wall: dt.datetime
    state: str
    priority: str
    reason: str
    finding: Finding

    @property
    def end(self) -> dt.datetime:
        """End of the slot."""
        return self.start + self.line.minutes * MINUTE


def day_visits(
    rng: random.Random, day: dt.date, rooms: tuple[RoomRow, ...], at: dt.datetime
) -> list[Visit]:
    """Return a day's visits over all rooms, in the order of their start.

    What ended before `at` is over; what lies after it is booked, the less the farther away.
    """
    found: list[Visit] = []
    for room in rooms:
        hours = open_minutes(room.line, day)
        if hours is None:
            continue
        for minute, line in _slots(rng, hours, room.line.modality, always=room.line.always):
            wall = dt.datetime.combine(day, dt.time(), room.zone) + minute * MINUTE
            start = wall.astimezone(dt.UTC)
            if start.astimezone(room.zone).replace(tzinfo=None) != wall.replace(tzinfo=None):
                continue  # an hour that the clock leaves out
            state = _state(rng, start, start + line.minutes * MINUTE, at)
            if state:
                found.append(
                    Visit(
                        line, room, start, wall, state, _priority(rng, line),
                        rng.choice(line.reasons),
                        rng.choices(line.outcomes, [o.weight for o in line.outcomes])[0],
                    )
                )  # fmt: skip
    found.sort(key=lambda visit: visit.start)
    return found


def _slots(
    rng: random.Random, hours: tuple[int, int], modality: str, *, always: bool
) -> Iterator[tuple[int, Line]]:
    minute, closes = hours
    while True:
        mean = _gap(minute) if always else DAY_GAP
        minute += SLOT * round(rng.expovariate(1 / mean) / SLOT)
        line = rng.choices(BY_MODALITY[modality], WEIGHTS[modality])[0]
        if minute + line.minutes > closes:
            return
        yield minute, line
        minute += SLOT * -(-line.minutes // SLOT)


def _gap(minute: int) -> int:
    hour = minute // 60
    if hour < 7:
        return NIGHT_GAP
    return EVENING_GAP if hour >= 19 else DAY_GAP


def _state(rng: random.Random, start: dt.datetime, end: dt.datetime, at: dt.datetime) -> str:
    """Return what became of a slot; empty where nobody has booked it."""
    draw = rng.random()
    if start > at:
        if draw > max(0.1, 0.92 - 0.04 * (start - at).days):
            return ""
        return "arrived" if start - at < 20 * MINUTE else "booked"
    if end > at:
        return "started"
    if draw < CANCELLED:
        return "cancelled"
    if draw < MISSED:
        return "noshow"
    return "loose" if draw < LOOSE else "fulfilled"


def _priority(rng: random.Random, line: Line) -> str:
    draw = rng.random()
    if draw < 0.15 * line.emergency:
        return "stat"
    return "urgent" if draw < 0.05 + 0.6 * line.emergency else "routine"
