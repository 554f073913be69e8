"""Exams by kind and time as the coordinates of one drawing: no style attributes are needed."""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

KINDS = {"CR": "X-ray", "DX": "X-ray", "RF": "X-ray", "XA": "X-ray", "US": "Ultrasound"}
LEFT, ROW = 70.0, 21.0
WIDE, NARROW = 1060.0, 328.0
LABEL_MARGIN, LETTER, LAST_LABEL = 20.0, 6.2, 70.0
YEARS = 8
MONTHS_INSTEAD = 18


class Dated(Protocol):
    """What the drawing needs of an exam."""

    @property
    def day(self) -> datetime.date | None:
        """The day of the exam."""
        ...

    @property
    def modality(self) -> str:
        """Its modality."""
        ...

    @property
    def title(self) -> str:
        """Its name."""
        ...


@dataclass(frozen=True, slots=True)
class Mark:
    """One exam: a dot, with words where there is room for them."""

    x: float
    y: float
    label: str
    today: bool


@dataclass(slots=True)
class Row:
    """One kind of exam."""

    words: str
    y: float
    marks: list[Mark] = field(default_factory=list)

    @property
    def text_y(self) -> float:
        """Base line of the words."""
        return self.y + 4


@dataclass(frozen=True, slots=True)
class Tick:
    """The beginning of a year or a month."""

    x: float
    words: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole drawing, in its own units."""

    rows: list[Row]
    ticks: list[Tick]
    words: str
    narrow: bool

    @property
    def width(self) -> float:
        """Width of the drawing."""
        return NARROW if self.narrow else WIDE

    @property
    def bottom(self) -> float:
        """Where the lines of years and months end."""
        return len(self.rows) * ROW

    @property
    def height(self) -> float:
        """Height of the drawing."""
        return self.bottom + 20

    @property
    def text_y(self) -> float:
        """Base line of their words."""
        return self.bottom + 15


def kind_of(modality: str) -> str:
    """The row an exam stands in: all of radiography together."""
    first = modality.split("/", maxsplit=1)[0]
    return KINDS.get(first, first or "Other")


def timeline(exams: Sequence[Dated], today: datetime.date, *, narrow: bool = False) -> Timeline:
    """Lay out the exams: by year, at most eight; by month where all lie within a year and a half.

    Args:
        exams: those without a day are left out.
        today: the department's day.
        narrow: for a panel or a phone, drawn in its size and without the exams' names.
    """
    days = sorted(exam.day for exam in exams if exam.day is not None)
    if not days:
        return Timeline([], [], "", narrow)
    starts = _starts(days[0], max(today, days[-1]))
    start, span = starts[0], (starts[-1] - starts[0]).days
    width = NARROW if narrow else WIDE
    right = width - (8 if narrow else LAST_LABEL)

    def x_of(day: datetime.date) -> float:
        return round(LEFT + (right - LEFT) * (day - start).days / span, 1)

    kinds = dict.fromkeys(sorted(kind_of(e.modality) for e in exams if e.day is not None))
    rows = {kind: Row(kind, 11 + i * ROW) for i, kind in enumerate(kinds)}
    for exam in sorted(exams, key=lambda e: e.day or start, reverse=True):
        if exam.day is None or exam.day < start:
            continue
        row = rows[kind_of(exam.modality)]
        x = x_of(exam.day)
        room = (row.marks[-1].x if row.marks else width) - x - LABEL_MARGIN
        now = exam.day == today
        title = exam.title if len(exam.title) <= 15 else f"{exam.title[:14].rstrip()}…"
        label = "Today" if now else title
        fits = not narrow and len(label) * LETTER <= room
        row.marks.append(Mark(x, row.y, label if fits else "", now))
    counts = ", ".join(f"{row.words} {len(row.marks)}" for row in rows.values())
    words = f"Exams by kind, {start.year} to {max(today, days[-1]).year}: {counts}"
    return Timeline(list(rows.values()), _ticks(starts, x_of), words, narrow)


def _starts(first: datetime.date, last: datetime.date) -> list[datetime.date]:
    """Return the beginnings of the months or years shown, and of the one after them."""
    months = 12 * (last.year - first.year) + last.month - first.month + 1
    if months > MONTHS_INSTEAD:
        begin = max(first.year, last.year - YEARS + 1)
        return [datetime.date(year, 1, 1) for year in range(begin, last.year + 2)]
    index = 12 * first.year + first.month - 1
    return [datetime.date(n // 12, n % 12 + 1, 1) for n in range(index, index + months + 1)]


def _ticks(starts: Sequence[datetime.date], x_of: Callable[[datetime.date], float]) -> list[Tick]:
    """Return a line with words for each beginning that has the room for them."""
    by_month = any(start.month != 1 for start in starts)
    ticks: list[Tick] = []
    for start in starts[:-1]:
        x = x_of(start)
        if ticks and x - ticks[-1].x < len(ticks[-1].words) * LETTER + LABEL_MARGIN / 2:
            continue
        month = f"{start:%b %Y}" if not ticks or start.month == 1 else f"{start:%b}"
        ticks.append(Tick(x, month if by_month else str(start.year)))
    return ticks
