"""The drawing of a patient's exams over time."""

import datetime
from dataclasses import dataclass

import pytest

from apps.workspace.timeline import LEFT, timeline

TODAY = datetime.date(2026, 3, 12)


@dataclass(frozen=True)
class Exam:
    day: datetime.date | None
    modality: str = "CT"
    title: str = "CT chest"


def test_half_a_year_is_drawn_by_month():
    drawn = timeline([Exam(datetime.date(2025, 10, 20)), Exam(TODAY)], TODAY)
    assert [t.words for t in drawn.ticks] == ["Oct 2025", "Nov", "Dec", "Jan 2026", "Feb", "Mar"]
    assert drawn.ticks[0].x == LEFT
    assert [m.label for m in drawn.rows[0].marks] == ["Today", "CT chest"]


def test_years_are_drawn_by_year_and_eight_at_most():
    drawn = timeline([Exam(datetime.date(2001, 5, 1)), Exam(datetime.date(2024, 5, 1))], TODAY)
    assert [t.words for t in drawn.ticks] == [str(year) for year in range(2019, 2027)]
    assert [len(row.marks) for row in drawn.rows] == [1]


@pytest.mark.parametrize("narrow", [False, True])
def test_marks_and_words_stay_inside_and_apart(narrow):
    days = [TODAY - datetime.timedelta(days=40 * n) for n in range(30)]
    drawn = timeline([Exam(day) for day in days], TODAY, narrow=narrow)
    assert all(LEFT <= mark.x <= drawn.width - 6 for row in drawn.rows for mark in row.marks)
    for tick, following in zip(drawn.ticks, drawn.ticks[1:], strict=False):
        assert following.x - tick.x > 6 * len(tick.words)
    if narrow:
        assert not any(mark.label for row in drawn.rows for mark in row.marks)


def test_nothing_dated_draws_nothing():
    assert timeline([Exam(None)], TODAY).rows == []
