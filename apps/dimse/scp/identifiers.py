"""Identifiers of query and retrieve: their level, their keys, their answers.

Source: PS3.4 C.3 (information models), C.4.1.1.3.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from apps.core.errors import DomainError
from apps.dimse.data_sets import SPECIFIC_CHARACTER_SET, DataSet
from apps.dimse.sop_classes import Root
from apps.studies.query import ATTRIBUTES, Level, Row
from apps.studies.query.attributes import IN_REQUEST, UNIQUE_KEYS
from apps.studies.query.attributes import REQUEST_ATTRIBUTES_SEQUENCE as REQUEST_ATTRIBUTES
from apps.studies.query.matching import has_wildcard, is_universal

QUERY_RETRIEVE_LEVEL = 0x00080052
RETRIEVE_AE_TITLE = 0x00080054
TIMEZONE_OFFSET = 0x00080201
LEVELS_OF = {Root.PATIENT: tuple(Level), Root.STUDY: tuple(Level)[1:]}
"""Source: PS3.4 C.6.1.1 and C.6.2.1: the study root keeps a patient's attributes at the study."""
_NO_KEYS = frozenset(
    {SPECIFIC_CHARACTER_SET, QUERY_RETRIEVE_LEVEL, RETRIEVE_AE_TITLE, TIMEZONE_OFFSET}
)


class IdentifierError(DomainError):
    """The identifier does not fit the SOP class.

    The message is cut to the 64 characters of Error Comment; the detail `tag` is the Offending
    Element.
    """

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
        raise IdentifierError(message, tag=QUERY_RETRIEVE_LEVEL) from None
    if root is Root.STUDY and level is Level.PATIENT:
        message = "The study root has no PATIENT level"
        raise IdentifierError(message, tag=QUERY_RETRIEVE_LEVEL)
    return level


def keys_of(identifier: DataSet) -> tuple[dict[int, str], frozenset[int]]:
    """Return the matching keys as text, and the attributes that are not supported here.

    Of sequences only Request Attributes Sequence is indexed; of its items the IDs.
    Unsupported are attributes that we do not hold, to match or to return (status FF01H).
    """
    keys: dict[int, str] = {}
    unsupported: set[int] = set()
    for tag, value in identifier.items():
        if tag in _NO_KEYS or tag & 0xFFFF == 0:
            continue
        if tag == REQUEST_ATTRIBUTES:
            for inner, one in (value[0] if value else {}).items():
                if inner in IN_REQUEST:
                    keys[inner] = _text(one)
                else:
                    unsupported.add(inner)
        elif tag in ATTRIBUTES:
            keys[tag] = _text(value)
        else:
            unsupported.add(tag)
    return keys, frozenset(unsupported)


def _text(value: Any) -> str:
    if isinstance(value, (str, int, float)):
        return str(value)
    return "\\".join(map(str, value)) if isinstance(value, list) else ""


def check_hierarchy(keys: Mapping[int, str], level: Level, root: Root, *, relational: bool) -> None:
    """Refuse a query that needs relational queries, where they were not agreed.

    Without them every level above is named by one value of its unique key, and nothing else
    is asked of another level than the query's own.

    Raises:
        IdentifierError: it is relational.

    Source: PS3.4 C.4.1.2.1, C.4.1.3.2.
    """
    if relational:
        return
    _check_above(keys, level, root)
    allowed = {UNIQUE_KEYS[above] for above in LEVELS_OF[root] if above <= level}
    own = {level, Level.PATIENT} if (root, level) == (Root.STUDY, Level.STUDY) else {level}
    for tag, key in keys.items():
        attribute = ATTRIBUTES.get(tag)
        if attribute is None or is_universal(key) or tag in allowed:
            continue
        if attribute.level not in own:
            message = f"Not relational: no key of level {level.name} is {attribute.keyword}"
            raise IdentifierError(message, tag=tag)


def _check_above(keys: Mapping[int, str], level: Level, root: Root) -> None:
    for above in LEVELS_OF[root]:
        if above >= level:
            return
        key = keys.get(UNIQUE_KEYS[above], "").strip()
        if not key or "\\" in key or (has_wildcard(key)):
            name = ATTRIBUTES[UNIQUE_KEYS[above]].keyword
            message = f"Not relational: level {level.name} needs one {name}"
            raise IdentifierError(message, tag=UNIQUE_KEYS[above])


def answer(identifier: DataSet, level: Level, row: Row) -> DataSet:
    """Return what was asked for of a row, and where it can be had; what we lack is empty.

    Source: PS3.4 C.4.1.1.3.2.
    """
    result: DataSet = {RETRIEVE_AE_TITLE: settings.ISOCENTER_AE_TITLE}
    for tag, asked in identifier.items():
        if tag == QUERY_RETRIEVE_LEVEL:
            result[tag] = level.name
        elif tag == REQUEST_ATTRIBUTES:
            result[tag] = _request(asked, row)
        elif tag not in (SPECIFIC_CHARACTER_SET, RETRIEVE_AE_TITLE) and tag & 0xFFFF:
            result[tag] = row.get(tag, "")
    result[QUERY_RETRIEVE_LEVEL] = level.name
    return result


def _request(asked: Any, row: Row) -> list[Mapping[int, Any]]:
    wanted: Sequence[int] = list(asked[0]) if asked and asked[0] else IN_REQUEST
    item = {tag: row.get(tag, "") if tag in IN_REQUEST else "" for tag in wanted}
    return [item] if any(item.values()) else []


def unique_values(
    identifier: DataSet, level: Level, root: Root, *, relational: bool
) -> dict[Level, list[str]]:
    """Return the unique keys of a retrieve, from the level up.

    Args:
        identifier: of a C-MOVE or C-GET.
        level: it says.
        root: of its SOP class.
        relational: whether relational retrieval was agreed: then levels above may be left out.

    Raises:
        IdentifierError: a unique key is missing, has a wild card, or is a list above the level.

    Source: PS3.4 C.4.2.1.4, C.4.2.2.1.
    """
    found: dict[Level, list[str]] = {}
    texts = {tag: _text(identifier.get(tag, "")) for tag in UNIQUE_KEYS.values()}
    if not relational:
        _check_above(texts, level, root)
    for above in Level:
        if above > level:
            break
        text = texts[UNIQUE_KEYS[above]]
        if has_wildcard(text):
            message = "A retrieve names what it wants without wild cards"
            raise IdentifierError(message, tag=UNIQUE_KEYS[above])
        values = [value.strip() for value in text.split("\\") if value.strip()]
        if values:
            found[above] = values
    if level not in found:
        message = f"The unique key of level {level.name} is missing"
        raise IdentifierError(message, tag=UNIQUE_KEYS[level])
    return found
