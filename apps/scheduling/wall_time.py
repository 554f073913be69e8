"""A site's wall clock and the instants behind it, on days with 23 and 25 hours too.

Pure: no database. All instants are aware and in UTC; ranges are half open.
"""

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from apps.scheduling.domain import SLOT_MINUTES

MINUTE = datetime.timedelta(minutes=1)
SLOT = datetime.timedelta(minutes=SLOT_MINUTES)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open stretch of time between two instants."""

    start: datetime.datetime
    end: datetime.datetime

    @property
    def length(self) -> datetime.timedelta:
        """How long it is."""
        return self.end - self.start

    def holds(self, other: "Span") -> bool:
        """Tell whether the other lies inside."""
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: "Span") -> bool:
        """Tell whether they share an instant."""
        return self.start < other.end and other.start < self.end


def instant(
    date: datetime.date, time: datetime.time, zone: ZoneInfo, *, closing: bool = False
) -> datetime.datetime:
    """Return the instant at which the wall clock shows a time.

    A time that the clock shows twice is the first of the two, or the second where something closes
    then: it is open until the clock has passed it for good. A time that the clock skips is the
    instant at which it skips.

    Args:
        date: the wall date.
        time: the wall time.
        zone: the site's.
        closing: whether the time ends a span rather than begins one.
    """
    naive = datetime.datetime.combine(date, time)
    early, late = (naive.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    before, after = early.astimezone(datetime.UTC), late.astimezone(datetime.UTC)
    if before == after:
        return before
    if before < after:  # shown twice
        return after if closing else before
    # Skipped: with the offset of before it lies after the change, and the other way round.
    low, high = after, before
    offset = high.astimezone(zone).utcoffset()
    while high - low > MINUTE:
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return _whole_minute(high)


def _whole_minute(moment: datetime.datetime) -> datetime.datetime:
    return moment.replace(second=0, microsecond=0)


def wall(moment: datetime.datetime, zone: ZoneInfo) -> datetime.datetime:
    """Return what the wall clock shows at an instant."""
    return moment.astimezone(zone)


def day(date: datetime.date, zone: ZoneInfo) -> Span:
    """Return a wall date from its first instant to the next date's: 23, 24 or 25 hours."""
    midnight = datetime.time()
    return Span(
        instant(date, midnight, zone), instant(date + datetime.timedelta(days=1), midnight, zone)
    )


def opening(
    date: datetime.date,
    hours: Iterable[tuple[datetime.time, datetime.time]],
    zone: ZoneInfo,
) -> list[Span]:
    """Expand a day's opening hours to instants, joined where they touch, in order."""
    spans = (
        Span(instant(date, opens, zone), instant(date, closes, zone, closing=True))
        for opens, closes in hours
    )
    return joined(span for span in spans if span.start < span.end)


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, with those that touch or overlap made one."""
    result: list[Span] = []
    for span in sorted(spans):
        if result and span.start <= result[-1].end:
            result[-1] = Span(result[-1].start, max(result[-1].end, span.end))
        else:
            result.append(span)
    return result


def gaps(open_spans: Iterable[Span], busy: Iterable[Span]) -> Iterator[Span]:
    """Yield what is open and not busy, in order."""
    taken = joined(busy)
    for span in open_spans:
        start = span.start
        for other in taken:
            if other.end <= start or other.start >= span.end:
                continue
            if start < other.start:
                yield Span(start, other.start)
            start = max(start, other.end)
        if start < span.end:
            yield Span(start, span.end)


def starts(
    gap: Span, length: datetime.timedelta, every: datetime.timedelta | None = None
) -> Iterator[datetime.datetime]:
    """Yield the starts in a gap at which something of this length fits.

    The first is the gap's own start brought up to the raster, the others follow at the pace.
    """
    start = ceil_to_slot(gap.start)
    while start + length <= gap.end:
        yield start
        start = ceil_to_slot(start + (every or length))


def ceil_to_slot(moment: datetime.datetime) -> datetime.datetime:
    """Return the first mark of the raster at or after an instant."""
    floor = floor_to_slot(moment)
    return floor if floor == moment else floor + SLOT


def floor_to_slot(moment: datetime.datetime) -> datetime.datetime:
    """Return the last mark of the raster at or before an instant."""
    return _whole_minute(moment) - (moment.minute % SLOT_MINUTES) * MINUTE


def rounded_length(minutes: int) -> datetime.timedelta:
    """Return a duration in whole slots, at least one."""
    return max(1, -(-minutes // SLOT_MINUTES)) * SLOT
