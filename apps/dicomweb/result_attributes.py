"""Which attributes a search answers with: those required, those asked by, those asked for.

Source: PS3.18 8.3.4.3 (includefield), Tables 10.6.3-3 to 10.6.3-5.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from pydicom.datadict import keyword_dict

from apps.dicomweb.errors import MalformedError
from apps.studies.query import ATTRIBUTES, BY_KEYWORD, Level
from apps.studies.query.attributes import (
    IN_REQUEST,
    REQUEST_ATTRIBUTES_SEQUENCE,
    UNIQUE_KEYS,
    attributes_of,
)

Plan = tuple[tuple[int, str, str, bool], ...]
_REQUIRED_NAMES = {
    Level.STUDY: (
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"),
        *("AccessionNumber", "InstanceAvailability", "ModalitiesInStudy"),
        *("ReferringPhysicianName", "TimezoneOffsetFromUTC", "StudyInstanceUID", "StudyID"),
        *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
    ),
    Level.SERIES: (
        *("Modality", "TimezoneOffsetFromUTC", "SeriesDescription", "SeriesInstanceUID"),
        *("SeriesNumber", "NumberOfSeriesRelatedInstances", "PerformedProcedureStepStartDate"),
        *("PerformedProcedureStepStartTime", "ScheduledProcedureStepID", "RequestedProcedureID"),
    ),
    Level.IMAGE: (
        *("SOPClassUID", "SOPInstanceUID", "InstanceAvailability", "TimezoneOffsetFromUTC"),
        *("InstanceNumber", "Rows", "Columns", "BitsAllocated", "NumberOfFrames"),
    ),
}
REQUIRED = {
    level: frozenset(BY_KEYWORD[name].tag for name in names)
    for level, names in _REQUIRED_NAMES.items()
}
"""What is always returned, of the index's attributes; empty ones of the study too."""


def wanted(
    fields: Iterable[str], level: Level, keys: Iterable[int], path: Mapping[int, str]
) -> frozenset[int]:
    """Return which of the index's attributes an answer holds.

    Beside what is required at the level and at those above: what was asked by, and what
    `includefield` names. Of levels that the address names it could be left out; only the request's
    attributes are, for a list of images should say whose they are, as other servers' do.

    Args:
        fields: values of `includefield`: `all`, or keywords, tags and paths, separated by commas.
        level: of the search.
        keys: tags of its matching keys.
        path: the UIDs in its address.

    Raises:
        MalformedError: a name that is no attribute.
    """
    held = _held(level)
    named = [one for field in fields for one in field.split(",") if one]
    if "all" in named:
        for one in named:
            if one != "all":
                steps_of(one)
        return held
    result = set(REQUIRED[level])
    for above in (Level.STUDY, Level.SERIES):
        if above < level:
            named_by_address = bool(path.get(UNIQUE_KEYS[above]))
            result |= REQUIRED[above] - set(IN_REQUEST if named_by_address else ())
    result.update(keys)
    for one in named:
        result |= _named(steps_of(one))
    return held & result


def _named(steps: tuple[int, ...]) -> set[int]:
    """Return the attributes that a path names: a sequence is all that it holds."""
    if steps[0] == REQUEST_ATTRIBUTES_SEQUENCE:
        return set(IN_REQUEST) & set(steps[1:2] or IN_REQUEST)
    return set(steps) - set(IN_REQUEST) if len(steps) == 1 else set()


def steps_of(name: str) -> tuple[int, ...]:
    """Return the tags of a path of keywords or tags, `RequestAttributesSequence.00400009`.

    Raises:
        MalformedError: a step that is no attribute.
    """
    return tuple(_tag(step, name) for step in name.split("."))


def _tag(step: str, name: str) -> int:
    if len(step) == 8:
        try:
            return int(step, 16)
        except ValueError:
            pass
    if step in keyword_dict:
        return keyword_dict[step]
    message = f"{name} is no attribute of DICOM."
    raise MalformedError(message)


@lru_cache
def _held(level: Level) -> frozenset[int]:
    return frozenset(a.tag for a in attributes_of(level) if a.column)


@lru_cache(maxsize=256)
def plans(tags: frozenset[int], level: Level) -> tuple[Plan, Plan]:
    """Return how a row's own attributes are written, and those above: see `Row`.

    Each is tag, name, VR and whether it is shown when empty.
    """
    found = [ATTRIBUTES[tag] for tag in sorted(tags)]
    every = [(a, (a.tag, f"{a.tag:08X}", a.vr, a.level <= Level.STUDY)) for a in found]
    own = tuple(one for a, one in every if a.level is level or level is Level.STUDY)
    above = tuple(one for a, one in every if one not in own)
    return own, above
