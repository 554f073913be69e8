"""How names, dates and times are written for people. One place, so that no page differs.

FAMILY, Given. `04 Nov 1967`, never all digits. 24-hour clock. `38 min`, `1 h 10`.
"""

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass

from django.utils import timezone

from apps.core import clock as the_clock

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NAME_SEPARATORS = re.compile(r"[\^\s]+")


@dataclass(frozen=True)
class Name:
    """A person's name as shown: the family name carries the weight."""

    family: str
    given: str

    def __str__(self) -> str:
        """`OKONKWO, Adaeze`; a name of one part has no comma."""
        return ", ".join(part for part in (self.family, self.given) if part)


def capitals(text: str) -> str:
    """Latin letters to capitals; other scripts as they are written (Greek loses accents)."""
    latin = all(unicodedata.name(c, "").startswith("LATIN") for c in text if c.isalpha())
    return text.upper() if latin else text


def person_name(value: object) -> Name:
    """The name to show, from a DICOM PN string or from anything with family and given names.

    Only the alphabetic component group of a PN is shown, and only its first three components
    (family, given, middle). Source: PS3.5 6.2.1.1.
    """
    if value is None:
        return Name("", "")
    if isinstance(value, Name):
        return value
    for family, given in (("family_name", "given_name"), ("last_name", "first_name")):
        if hasattr(value, family):
            return Name(capitals(getattr(value, family).strip()), getattr(value, given).strip())
    text = str(value).split("=", 1)[0]
    parts = [NAME_SEPARATORS.sub(" ", p).strip() for p in text.split("^")]
    return Name(capitals(parts[0]), " ".join(p for p in parts[1:3] if p))


def as_date(value: dt.date | dt.datetime | str | None) -> dt.date | None:
    """A date from a date, a moment (in the hospital's zone) or a DICOM DA string; else None."""
    if isinstance(value, dt.datetime):
        return timezone.localtime(value).date() if timezone.is_aware(value) else value.date()
    if isinstance(value, dt.date):
        return value
    digits = (value or "").replace("-", "").replace(".", "")
    if len(digits) != 8 or not digits.isdecimal():
        return None
    try:
        return dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def date_words(value: dt.date | dt.datetime | str | None) -> str:
    """`04 Nov 1967`. A date that is no date is given back as it came."""
    day = as_date(value)
    if day is None:
        return str(value or "")
    return f"{day.day:02d} {MONTHS[day.month - 1]} {day.year}"


def clock(value: dt.datetime | dt.time | None) -> str:
    """`09:42`, in the hospital's time zone."""
    if value is None:
        return ""
    if isinstance(value, dt.datetime) and timezone.is_aware(value):
        value = timezone.localtime(value)
    return f"{value.hour:02d}:{value.minute:02d}"


def when(value: dt.date | dt.datetime | str | None) -> str:
    """`today 09:42`, `yesterday 17:05`, `tomorrow 08:00`, `12 Mar 09:31`, `12 Mar 2024`.

    The year is written when it is not this one; the time is left out with it, and for plain dates.
    """
    day = as_date(value)
    if day is None:
        return str(value or "")
    today = timezone.localdate(the_clock.now())
    near = {0: "today", -1: "yesterday", 1: "tomorrow"}.get((day - today).days)
    time = f" {clock(value)}" if isinstance(value, dt.datetime) else ""
    if near:
        return near + time
    short = f"{day.day:02d} {MONTHS[day.month - 1]}"
    return short + time if day.year == today.year else f"{short} {day.year}"


def minutes_words(minutes: float | None) -> str:
    """`38 min`, `1 h 10`, `5 h`, `3 d`; less than one minute is `0 min`."""
    if minutes is None:
        return ""
    sign = "−" if minutes < 0 else ""
    whole = int(abs(minutes))
    if whole < 60:
        return f"{sign}{whole} min"
    hours, rest = divmod(whole, 60)
    if hours < 48:
        return f"{sign}{hours} h {rest:02d}" if rest else f"{sign}{hours} h"
    return f"{sign}{hours // 24} d"


def duration(value: dt.timedelta | float | None) -> str:
    """A length of time in words; a plain number is minutes."""
    if isinstance(value, dt.timedelta):
        return minutes_words(value.total_seconds() / 60)
    return minutes_words(value)


def since(value: dt.datetime | None) -> str:
    """How long ago a moment was: `38 min`."""
    return "" if value is None else duration(the_clock.now() - value)


def age(birth: dt.date | str | None, at: dt.date | None = None) -> str:
    """`58 y`, `7 mo`, `12 d`: years from two on, days in the first month.

    `at` is the day asked about (of the exam, say); without it, today.
    """
    born = as_date(birth)
    day = at or timezone.localdate(the_clock.now())
    if born is None or born > day:
        return ""
    months = (day.year - born.year) * 12 + day.month - born.month - (day.day < born.day)
    if months >= 24:
        return f"{months // 12} y"
    return f"{months} mo" if months else f"{(day - born).days} d"


def sex_words(code: str | None) -> str:
    """Patient's Sex in words. Source: PS3.3 C.7.1.1 (0010,0040)."""
    return {"F": "female", "M": "male", "O": "other"}.get(code or "", "sex not known")


def size_words(size: int | None) -> str:
    """Bytes as people say them: `614 kB`, `2.1 GB`."""
    if size is None:
        return ""
    number = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if number >= 10 or unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
