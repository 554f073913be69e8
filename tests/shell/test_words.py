"""How names, dates and times are written."""

import datetime as dt

import pytest
from django.template import Context, Template
from django.utils import timezone

from apps.accounts.models import User
from apps.core import clock, words
from apps.core.chain import ChainLink
from apps.patients.models import Patient

NOW = dt.datetime(2026, 3, 12, 9, 42, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def noon(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Okonkwo^Adaeze", "OKONKWO, Adaeze"),
        ("van der Meer^Johanna^Cornelia^Dr", "VAN DER MEER, Johanna Cornelia"),
        ("Παπαδοπούλου^Ελένη", "Παπαδοπούλου, Ελένη"),
        ("Yamada^Tarou=山田^太郎", "YAMADA, Tarou"),
        ("山田^太郎", "山田, 太郎"),
        ("MONONYM", "MONONYM"),
        ("", ""),
        (None, ""),
        (Patient(name_alphabetic="Bergström^Ulla"), "BERGSTRÖM, Ulla"),
        (User(last_name="Falk", first_name="Ines"), "FALK, Ines"),
    ],
)
def test_names(value, shown):
    assert str(words.person_name(value)) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (dt.date(1967, 11, 4), "04 Nov 1967"),
        ("19671104", "04 Nov 1967"),
        ("1967", "1967"),
        ("20260230", "20260230"),
        (None, ""),
    ],
)
def test_dates_are_never_all_digits(value, shown):
    assert words.date_words(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (NOW, "today 09:42"),
        (NOW - dt.timedelta(days=1), "yesterday 09:42"),
        (NOW + dt.timedelta(days=1), "tomorrow 09:42"),
        (NOW - dt.timedelta(days=5), "07 Mar 09:42"),
        (NOW - dt.timedelta(days=900), "24 Sep 2023"),
        (dt.date(2026, 3, 12), "today"),
    ],
)
def test_moments(value, shown):
    assert words.when(value) == shown


def test_the_day_is_that_of_the_wall_clock():
    with timezone.override("Asia/Tokyo"):
        assert words.when(dt.datetime(2026, 3, 11, 20, tzinfo=dt.UTC)) == "today 05:00"


@pytest.mark.parametrize(
    ("minutes", "shown"),
    [(0, "0 min"), (38, "38 min"), (70, "1 h 10"), (300, "5 h"), (4400, "3 d"), (-5, "−5 min")],
)
def test_lengths(minutes, shown):
    assert words.minutes_words(minutes) == shown


@pytest.mark.parametrize(
    ("birth", "shown"),
    [
        (dt.date(1967, 11, 4), "58 y"),
        (dt.date(2026, 3, 10), "2 d"),
        (dt.date(2025, 8, 12), "7 mo"),
        (dt.date(2024, 3, 13), "23 mo"),
        (dt.date(2027, 1, 1), ""),
    ],
)
def test_ages(birth, shown):
    assert words.age(birth) == shown


def test_sizes():
    assert [words.size_words(n) for n in (1, 614_000, 2_100_000_000)] == ["1 B", "614 kB", "2.1 GB"]


def test_a_name_is_escaped():
    text = Template("{% load ui %}{% person_name n %}").render(Context({"n": "<b>^x"}))
    assert text == "<b>&lt;B&gt;</b>, x"


def test_the_chain_says_its_states_and_where_to_mend():
    links = [ChainLink("Order", "done", "08:47"), ChainLink("Scan", "broken", "no link", "/mend/")]
    text = Template("{% load ui %}{% chain links %}").render(Context({"links": links}))
    assert 'data-c="done"' in text
    assert 'href="/mend/"' in text
    assert "broken</span>" in text
