"""Attribute matching: from a key's text to a database filter.

Source: PS3.4 C.2.2.2. Zero length and `*` match everything; wildcards are for text only; `%` and
`_` are ordinary characters; dates and times take ranges; UIDs take lists.
"""

import re

from django.contrib.postgres.fields import ArrayField
from django.db.models import CharField, Lookup, Q, TextField, Transform

from apps.patients.domain import fold
from apps.studies.errors import QueryRefusedError
from apps.studies.ingest.received import dicom_date

WILDCARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
DATE = re.compile(r"\d{8}")
TIME = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")
AFTER_DIGITS = "~"


@CharField.register_lookup
@TextField.register_lookup
class Like(Lookup):
    """SQL LIKE with a ready pattern; the index decides whether it is fast."""

    lookup_name = "like"

    def as_sql(self, compiler, connection):  # type: ignore[no-untyped-def]
        """Return `column LIKE pattern`."""
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} LIKE {right}", [*left_params, *right_params]


@CharField.register_lookup
class Folded(Transform):
    """A name as `patients.domain.fold` has it, worked out by the database."""

    lookup_name = "folded"

    def as_sql(self, compiler, connection, *args, **kwargs):  # type: ignore[no-untyped-def]
        """Return the column without accents and case."""
        left, params = compiler.compile(self.lhs)
        marks = "[\u0300-\u036f]"
        return f"lower(regexp_replace(normalize({left}, NFKD), '{marks}', '', 'g'))", params


def is_universal(key: str) -> bool:
    """Tell whether a key matches everything: empty, or nothing but `*`."""
    return not key.strip("* ")


def like_pattern(key: str) -> str:
    r"""Turn DICOM wildcards into a LIKE pattern; `%`, `_` and `\` stand for themselves."""
    escaped = re.sub(r"([%_\\])", r"\\\1", key)
    return escaped.replace("*", "%").replace("?", "_")


def has_wildcard(key: str) -> bool:
    """Tell whether the text holds `*` or `?`."""
    return "*" in key or "?" in key


def text_filter(column: str, key: str) -> Q:
    """Match AE, CS, LO, SH and their like: single value, list by backslash, wildcards."""
    result = Q()
    for value in key.split("\\"):
        one = value.strip()
        if has_wildcard(one):
            result |= Q(**{f"{column}__like": like_pattern(one)})
        else:
            result |= Q(**{column: one})
    return result


def person_name_filter(column: str, key: str, *, fuzzy: bool = False) -> Q:
    """Match PN against a column of folded names (`patients.domain.name_search`).

    Case and accents do not count; the key matches any of the three component groups. Fuzzy: each
    word of the key begins some component.

    Args:
        column: lookup of the folded name.
        key: as received, with or without wildcards.
        fuzzy: as negotiated (PS3.4 C.2.2.2.1.3) or asked for (`fuzzymatching=true`).
    """
    folded = fold(key).rstrip("^=")
    if fuzzy:
        result = Q()
        for word in re.split(r"[\s^=,*?]+", folded):
            if word:
                pattern = like_pattern(word)
                begins = Q(**{f"{column}__like": f"{pattern}%"})
                for separator in "^= ":
                    begins |= Q(**{f"{column}__like": f"%{separator}{pattern}%"})
                result &= begins
        return result
    pattern = like_pattern(folded)
    if not has_wildcard(folded):
        alone = Q(**{f"{column}__exact": folded}) | Q(**{f"{column}__like": f"{pattern}=%"})
        inner = Q(**{f"{column}__like": f"%={pattern}"}) | Q(
            **{f"{column}__like": f"%={pattern}=%"}
        )
        return alone | inner if not folded.isascii() else alone
    groups = Q(**{f"{column}__like": pattern})
    if not pattern.endswith("%"):
        groups |= Q(**{f"{column}__like": f"{pattern}=%"})
    if not folded.isascii():
        groups |= Q(**{f"{column}__like": f"%={pattern}"}) | Q(
            **{f"{column}__like": f"%={pattern}=%"}
        )
    return groups


def date_filter(column: str, key: str) -> Q:
    """Match DA: a day, or a range open at either end.

    Raises:
        QueryRefusedError: no date.
    """
    return _range(column, key, DATE, "a date as YYYYMMDD", upper_suffix="")


def time_filter(column: str, key: str) -> Q:
    """Match TM: a time, partial as given (`10` is the whole hour), or a range.

    Raises:
        QueryRefusedError: no time.
    """
    return _range(column, key, TIME, "a time as HHMMSS", upper_suffix=AFTER_DIGITS)


def moment_filter(date_column: str, time_column: str, dates: str, times: str) -> Q | None:
    """Match a date and a time of the same form of range as one moment.

    `20060705-20060707` with `1000-1800` is the time from the 5th at 10 to the 7th at 18.

    Returns:
        The filter; None where the two are not ranges of the same form, and so match apart.

    Raises:
        QueryRefusedError: no date, or no time.

    Source: PS3.4 C.2.2.2.5, PS3.18 8.3.4.1.
    """
    if "-" not in dates or "-" not in times:
        return None
    day, hour = _ends(dates, DATE, "a date as YYYYMMDD"), _ends(times, TIME, "a time as HHMMSS")
    if [bool(end) for end in day] != [bool(end) for end in hour] or not any(day):
        return None
    result = ~Q(**{date_column: ""}) & date_filter(date_column, dates)
    if day[0]:
        later = Q(**{f"{time_column}__gte": _earliest(hour[0])})
        result &= Q(**{f"{date_column}__gt": day[0]}) | later
    if day[1]:
        earlier = Q(**{f"{time_column}__lte": hour[1] + AFTER_DIGITS})
        result &= Q(**{f"{date_column}__lt": day[1]}) | earlier
    return result


def _ends(key: str, form: re.Pattern[str], words: str) -> tuple[str, str]:
    """Split a range, or give a single value twice."""
    first, dash, last = (part.strip().replace(":", "") for part in key.strip().partition("-"))
    for value in filter(None, (first, last)):
        if not form.fullmatch(value):
            message = f"{value!r} is not {words}."
            raise QueryRefusedError(message)
    return first, last if dash else first


def _earliest(time: str) -> str:
    """Return the least text that says this time: `100000.0` is what `10` is (PS3.5 6.2, TM)."""
    whole, _, fraction = time.partition(".")
    if fraction.strip("0"):
        return f"{whole}.{fraction.rstrip('0')}"
    while len(whole) > 2 and whole.endswith("00"):
        whole = whole[:-2]
    return whole


def _range(column: str, key: str, form: re.Pattern[str], words: str, *, upper_suffix: str) -> Q:
    first, last = _ends(key, form, words)
    result = ~Q(**{column: ""})
    if first:
        result &= Q(**{f"{column}__gte": _earliest(first) if upper_suffix else first})
    if last:
        result &= Q(**{f"{column}__lte": last + upper_suffix})
    return result if (first or last) else Q()


def uid_filter(column: str, key: str) -> Q:
    """Match UI: one, or a list by backslash or comma."""
    values = [value.strip() for value in re.split(r"[\\,]", key) if value.strip()]
    return Q(**{column: values[0]}) if len(values) == 1 else Q(**{f"{column}__in": values})


def array_filter(column: str, key: str, *, indexed: bool = True) -> Q:
    """Match a study's multi-valued summary: any of its values against any of the key's.

    Args:
        column: lookup of the array.
        key: values by backslash or comma, with or without wild cards.
        indexed: false where another key has the better index.
    """
    values = [value.strip() for value in re.split(r"[\\,]", key) if value.strip()]
    if any(has_wildcard(value) for value in values):
        result = Q()
        for value in values:
            result |= Q(**{f"{column}__any_like": like_pattern(value)})
        return result
    return Q(**{f"{column}__{'overlap' if indexed else 'overlap_read'}": values})


def number_filter(column: str, key: str) -> Q:
    """Match US by value.

    Raises:
        QueryRefusedError: no number.
    """
    return Q(**{column: _whole(key)})


def integer_filter(column: str, key: str) -> Q:
    """Match IS, which the index keeps as text, by value: `07` is 7. No wild cards.

    Raises:
        QueryRefusedError: no number.
    """
    number = _whole(key)
    return Q(**{f"{column}__in": sorted({str(number), f"+{number}", key.strip()})})


def _whole(key: str) -> int:
    try:
        return int(key)
    except ValueError:
        message = f"{key!r} is not a whole number."
        raise QueryRefusedError(message) from None


def born_filter(column: str, key: str) -> Q:
    """Match a DA key, a day or a range, against a column of dates.

    Raises:
        QueryRefusedError: no date.
    """
    first, last = _ends(key, DATE, "a date as YYYYMMDD")
    result = Q()
    for end, lookup in ((first, "gte"), (last, "lte")):
        if end:
            day = dicom_date(end)
            if day is None:
                message = f"{end!r} is no date."
                raise QueryRefusedError(message)
            result &= Q(**{f"{column}__{lookup}": day})
    return result


@ArrayField.register_lookup
class AnyLike(Lookup):
    """Some value of an array is LIKE the pattern."""

    lookup_name = "any_like"

    def get_prep_lookup(self) -> object:
        """Take the pattern as it is: it is no array."""
        return self.rhs

    def as_sql(self, compiler, connection):  # type: ignore[no-untyped-def]
        """Return an EXISTS over the array's values."""
        left, left_params = self.process_lhs(compiler, connection)
        sql = f"EXISTS (SELECT 1 FROM unnest({left}) AS one WHERE one LIKE %s)"  # noqa: S608
        return sql, [*left_params, self.rhs]
