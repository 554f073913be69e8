"""Attribute matching of C-FIND identifiers against data sets of our making.

Pure. Source: PS3.4 C.2.2.2 (Attribute Matching) and, for the start of a scheduled step, K.6.1.2.2.
"""

import datetime
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from apps.patients.domain import fold

WILDCARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
"""PS3.4 C.2.2.2.4: the value representations in which * and ? are wild cards."""
RANGE_VRS = frozenset({"DA", "TM", "DT"})
STEP_DATE, STEP_TIME = 0x00400002, 0x00400003
CHARACTER_SET = 0x00080005
TIMEZONE_OFFSET = 0x00080201
DAY_FIRST, DAY_LAST = "00000101", "99991231"
Custom = Callable[[str], bool]


def matches(keys: Dataset, candidate: Dataset, custom: dict[int, Custom] | None = None) -> bool:
    """Tell whether a candidate answers to the keys of an identifier.

    A key that is empty matches all; one that the candidate does not have is not supported and
    matches all too, since the candidate holds every attribute that we support. Sequences match by
    item (C.2.2.2.6); a date and a time range of a scheduled step count as one range over both.

    Args:
        keys: the identifier as received, decoded.
        candidate: the full answer.
        custom: for single tags, a test of the key's text that replaces comparing.
    """
    for element in keys:
        if element.tag in (CHARACTER_SET, TIMEZONE_OFFSET) or element.tag.is_private:
            continue
        if element.tag in (STEP_DATE, STEP_TIME):
            continue
        if element.VR == "SQ":
            if not _sequence_matches(element, candidate, custom):
                return False
        elif not _element_matches(element, candidate, custom or {}):
            return False
    return _start_matches(keys, candidate)


def _sequence_matches(
    element: DataElement, candidate: Dataset, custom: dict[int, Custom] | None
) -> bool:
    items = list(element.value or [])
    if not items or not any(_is_key(inner) for inner in items[0]):
        return True
    if element.tag not in candidate:
        return True
    return any(matches(items[0], inner, custom) for inner in candidate[element.tag].value)


def _is_key(element: DataElement) -> bool:
    if element.VR == "SQ":
        return any(_is_key(inner) for item in element.value or [] for inner in item)
    return bool(texts(element))


def _element_matches(element: DataElement, candidate: Dataset, custom: dict[int, Custom]) -> bool:
    wanted = texts(element)
    if not wanted or wanted == ["*"]:
        return True
    if element.tag in custom:
        return any(custom[element.tag](text) for text in wanted)
    if element.tag not in candidate:
        return True
    found = texts(candidate[element.tag])
    return any(value_matches(element.VR, text, value) for text in wanted for value in found or [""])


def texts(element: DataElement) -> list[str]:
    """Return an element's values as texts without padding; none for an empty one."""
    value = element.value
    if value is None or value == "":
        return []
    many: Iterable[object] = value if isinstance(value, MultiValue | list) else [value]
    return [text for text in (str(one).strip(" \0") for one in many) if text]


def value_matches(vr: str, wanted: str, found: str) -> bool:
    """Tell whether one value answers to one key value, by the rules of its VR."""
    if vr in RANGE_VRS and "-" in wanted and not (vr == "DT" and _is_offset_only(wanted)):
        return range_matches(vr, wanted, found)
    if vr == "TM":
        return _time_in(found, wanted, wanted)
    if vr == "PN":
        return name_matches(wanted, found)
    if vr in WILDCARD_VRS:
        return wildcard_matches(wanted, found)
    return wanted == found


def _is_offset_only(wanted: str) -> bool:
    return bool(re.fullmatch(r"\d+(\.\d+)?-\d{4}", wanted))


def wildcard_matches(wanted: str, found: str) -> bool:
    """Compare with * and ? as wild cards, case counting (C.2.2.2.1, C.2.2.2.4)."""
    return bool(_pattern(wanted).fullmatch(found))


def name_matches(wanted: str, found: str) -> bool:
    """Compare a PN without regard to case and accents, in any of its component groups.

    Trailing delimiters do not count. A key of one group is looked for in every group; a key with
    several has to match group by group, an empty group matching all.

    Source: PS3.4 C.2.2.2.1.1, PS3.5 6.2.1.1.
    """
    there = [_folded_group(group) for group in found.split("=")]
    groups = wanted.split("=")
    if len(groups) == 1:
        pattern = _pattern(_folded_group(groups[0]))
        return any(pattern.fullmatch(group) for group in there)
    there += [""] * (3 - len(there))
    return all(
        not group or _pattern(_folded_group(group)).fullmatch(value)
        for group, value in zip(groups, there, strict=False)
    )


def _folded_group(group: str) -> str:
    return fold(group).rstrip("^ ")


@lru_cache(maxsize=512)
def _pattern(wanted: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(char) or re.escape(char) for char in wanted), re.DOTALL)


def range_matches(vr: str, wanted: str, found: str) -> bool:
    """Compare with a range `a-b`, `a-` or `-b`; both ends are inside (C.2.2.2.5)."""
    low, _, high = wanted.partition("-")
    low, high = low.strip(), high.strip()
    if vr == "TM":
        return _time_in(found, low, high)
    found = found.replace(".", "")
    return (
        bool(found)
        and (not low or found >= low.replace(".", ""))
        and (not high or found[: len(high)] <= high.replace(".", ""))
    )


def _time_in(found: str, low: str, high: str) -> bool:
    """Tell whether a TM lies between two, each as precise as it is written."""
    if not found:
        return False
    value = _first_of(found)
    return (not low or value >= _first_of(low)) and (not high or value <= _last_of(high))


def _digits(text: str) -> str:
    return text.replace(":", "").replace(".", "")


def _first_of(text: str) -> str:
    return _digits(text).ljust(12, "0")


def _last_of(text: str) -> str:
    return _digits(text) + "235959999999"[len(_digits(text)) :]


def _start_matches(keys: Dataset, candidate: Dataset) -> bool:
    """Compare date and time of a scheduled step: two ranges make one from start to end.

    Source: PS3.4 K.6.1.2.2, Table K.6-1, (0040,0002) and (0040,0003).
    """
    date, time = (_only_text(keys, tag) for tag in (STEP_DATE, STEP_TIME))
    if STEP_DATE not in candidate or not (date or time):
        return True
    found_date, found_time = (_only_text(candidate, tag) for tag in (STEP_DATE, STEP_TIME))
    if "-" in date and "-" in time:
        low_date, _, high_date = (part.strip() for part in date.partition("-"))
        low_time, _, high_time = (part.strip() for part in time.partition("-"))
        moment = found_date + _first_of(found_time)
        return (
            (low_date or DAY_FIRST) + _first_of(low_time if low_date else "")
            <= moment
            <= (high_date or DAY_LAST) + _last_of(high_time if high_date else "")
        )
    return (not date or value_matches("DA", date, found_date)) and (
        not time or value_matches("TM", time, found_time)
    )


def _only_text(keys: Dataset, tag: int) -> str:
    found = texts(keys[tag]) if tag in keys else []
    return found[0] if found else ""


def date_bounds(wanted: str) -> tuple[datetime.date | None, datetime.date | None]:
    """Return the first and last date that a DA key asks for; None is unbounded.

    Raises:
        ValueError: it is no date and no range of dates (PS3.5 6.2, DA).
    """
    low, dash, high = (part.strip().replace(".", "") for part in wanted.partition("-"))
    first = _date(low) if low else None
    last = (_date(high) if high else None) if dash else first
    return first, last


def _date(text: str) -> datetime.date:
    return datetime.datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone


def answer(keys: Dataset, candidate: Dataset) -> Dataset:
    """Return of a candidate what the identifier asks for.

    An attribute that is asked for and unknown to us is left out. A sequence without an item, or
    with an empty one, asks for all that we have in it (C.2.2.2.6).
    """
    result = Dataset()
    for element in keys:
        if element.tag not in candidate:
            continue
        there = candidate[element.tag]
        items = list(element.value or []) if element.VR == "SQ" else []
        if items and len(items[0]):
            wanted = items[0]
            there = DataElement(
                element.tag, "SQ", [answer(wanted, inner) for inner in candidate[element.tag].value]
            )
        result.add(there)
    return result
