"""Exams by kind and year as the coordinates of one drawing: no style attributes are needed."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

KINDS = {"CR": "X-ray", "DX": "X-ray", "RF": "X-ray", "XA": "X-ray", "US": "Ultrasound"}
LEFT, RIGHT, EDGE, ROW = 70.0, 990.0, 1060.0, 21.0
LABEL_MARGIN, LETTER = 16.0, 6.2
YEARS = 8


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
    """The beginning of a year."""

    x: float
    year: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole drawing, in its own units."""

    rows: list[Row]
    ticks: list[Tick]
    words: str

    @property
    def bottom(self) -> float:
        """Where the year lines end."""
        return len(self.rows) * ROW

    @property
    def height(self) -> float:
        """Height of the drawing."""
        return self.bottom + 20

    @property
    def text_y(self) -> float:
        """Base line of the years."""
        return self.bottom + 15


def kind_of(modality: str) -> str:
    """The row an exam stands in: all of radiography together."""
    first = modality.split("/", maxsplit=1)[0]
    return KINDS.get(first, first or "Other")


def timeline(exams: Sequence[Dated], today: datetime.date) -> Timeline:
    """Lay out the exams from the first year shown to the end of this one, at most eight years."""
    dated = [e for e in exams if e.day is not None]
    if not dated:
        return Timeline([], [], "")
    last = max(today.year, *(e.day.year for e in dated if e.day))
    first = max(min(e.day.year for e in dated if e.day), last - YEARS + 1)
    start = datetime.date(first, 1, 1)
    span = (datetime.date(last + 1, 1, 1) - start).days

    def x_of(day: datetime.date) -> float:
        return round(LEFT + (RIGHT - LEFT) * (day - start).days / span, 1)

    kinds = dict.fromkeys(sorted(kind_of(e.modality) for e in dated))
    rows = {kind: Row(kind, 11 + i * ROW) for i, kind in enumerate(kinds)}
    for exam in sorted(dated, key=lambda e: e.day or start, reverse=True):
        if exam.day is None or exam.day < start:
            continue
        row = rows[kind_of(exam.modality)]
        x = x_of(exam.day)
        room = (row.marks[-1].x if row.marks else EDGE) - x - LABEL_MARGIN
        now = exam.day == today
        title = exam.title if len(exam.title) <= 15 else f"{exam.title[:14].rstrip()}…"
        label = "Today" if now else title
        row.marks.append(Mark(x, row.y, label if len(label) * LETTER <= room else "", now))
    ticks = [Tick(x_of(datetime.date(year, 1, 1)), year) for year in range(first, last + 1)]
    words = ", ".join(f"{row.words} {len(row.marks)}" for row in rows.values())
    return Timeline(
        list(rows.values()), ticks, f"Exams by kind and year, {first} to {last}: {words}"
    )
