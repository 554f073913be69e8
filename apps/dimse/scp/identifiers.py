"""Identifiers of query and retrieve: their level, their keys, their answers.

Source: PS3.4 C.3 (information models), C.4.1.1.3.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from apps.core.errors import DomainError
from apps.dimse.data_sets import SPECIFIC_CHARACTER_SET, DataSet
from apps.dimse.sop_classes import Root
from apps.studies.query import ATTRIBUTES, Level, Row

QUERY_RETRIEVE_LEVEL = 0x00080052
RETRIEVE_AE_TITLE = 0x00080054
TIMEZONE_OFFSET = 0x00080201
REQUEST_ATTRIBUTES = 0x00400275
PATIENT_ID, STUDY_UID, SERIES_UID, INSTANCE_UID = 0x00100020, 0x0020000D, 0x0020000E, 0x00080018
UNIQUE_KEYS = {
    Level.PATIENT: PATIENT_ID,
    Level.STUDY: STUDY_UID,
    Level.SERIES: SERIES_UID,
    Level.IMAGE: INSTANCE_UID,
}
_NO_KEYS = frozenset(
    {SPECIFIC_CHARACTER_SET, QUERY_RETRIEVE_LEVEL, RETRIEVE_AE_TITLE, TIMEZONE_OFFSET}
)


class IdentifierError(DomainError):
    """The identifier does not fit the SOP class."""

    code = "dimse.identifier"
    message = "The identifier does not fit the SOP class."


def level_of(identifier: DataSet, root: Root) -> Level:
    """Return the level asked for.

    Raises:
        IdentifierError: none, or one that the root does not have.
    """
    text = str(identifier.get(QUERY_RETRIEVE_LEVEL, ""))
    try:
        level = Level[text]
    except KeyError:
        message = f"Query/Retrieve Level {text!r} is none"
        raise IdentifierError(message) from None
    if root is Root.STUDY and level is Level.PATIENT:
        message = "The study root has no PATIENT level"
        raise IdentifierError(message)
    return level


def keys_of(identifier: DataSet) -> dict[int, str]:
    """Return the matching keys as text, those within Request Attributes Sequence too."""
    return dict(_keys(identifier))


def _keys(identifier: DataSet) -> Iterator[tuple[int, str]]:
    for tag, value in identifier.items():
        if tag in _NO_KEYS or tag & 0xFFFF == 0:
            continue
        if tag == REQUEST_ATTRIBUTES and value:
            yield from _keys(value[0])
        elif isinstance(value, str):
            yield tag, value
        elif isinstance(value, (int, float)):
            yield tag, str(value)


def answer(identifier: DataSet, level: Level, row: Row) -> DataSet:
    """Return what was asked for of a row; what we do not have is empty."""
    result: DataSet = {}
    for tag, asked in identifier.items():
        if tag == QUERY_RETRIEVE_LEVEL:
            result[tag] = level.name
        elif tag == RETRIEVE_AE_TITLE:
            result[tag] = settings.ISOCENTER_AE_TITLE
        elif tag == REQUEST_ATTRIBUTES:
            result[tag] = _request(asked, row)
        elif tag != SPECIFIC_CHARACTER_SET and tag & 0xFFFF:
            result[tag] = row.get(tag, "")
    result[QUERY_RETRIEVE_LEVEL] = level.name
    return result


def _request(asked: Any, row: Row) -> list[Mapping[int, Any]]:
    wanted = asked[0] if asked else {tag: "" for tag in ATTRIBUTES if tag in row}
    item = {tag: row[tag] for tag in wanted if row.get(tag)}
    return [item] if item else []


def unique_values(identifier: DataSet, level: Level) -> dict[Level, list[str]]:
    """Return the unique keys of a retrieve, from the level up.

    Raises:
        IdentifierError: the level's own is missing, or has a wild card.
    """
    found: dict[Level, list[str]] = {}
    for above in Level:
        if above > level:
            break
        text = str(identifier.get(UNIQUE_KEYS[above], ""))
        values = [value for value in text.split("\\") if value.strip()]
        if any(char in text for char in "*?"):
            message = "A retrieve names what it wants without wild cards"
            raise IdentifierError(message)
        if values:
            found[above] = values
    if level not in found:
        message = f"The unique key of level {level.name} is missing"
        raise IdentifierError(message)
    return found
