"""What an N-CREATE and an N-SET of a performed step must hold. Pure.

Source: PS3.4 F.7.2.1 and F.7.2.2, Table F.7.2-1.
"""

import datetime
from zoneinfo import ZoneInfo

from pydicom.dataset import Dataset
from pydicom.valuerep import DA, TM

from apps.worklists.performing.errors import (
    InvalidValueError,
    MissingAttributeError,
    MissingValueError,
)

IN_PROGRESS, COMPLETED, DISCONTINUED = "IN PROGRESS", "COMPLETED", "DISCONTINUED"
FINAL = frozenset({COMPLETED, DISCONTINUED})
EVENTS = {IN_PROGRESS: "change", COMPLETED: "complete", DISCONTINUED: "discontinue"}

CREATE_TYPE_1 = (
    "ScheduledStepAttributesSequence",
    "PerformedProcedureStepID",
    "PerformedStationAETitle",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "PerformedProcedureStepStatus",
    "Modality",
)
FINAL_TYPE_1 = ("PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime")
SERIES_TYPE_1 = ("SeriesInstanceUID", "ProtocolName")

FIXED_AT_CREATE = frozenset(
    {
        "ScheduledStepAttributesSequence",
        "PatientName",
        "PatientID",
        "IssuerOfPatientID",
        "PatientBirthDate",
        "PatientSex",
        "ReferencedPatientSequence",
        "PerformedProcedureStepID",
        "PerformedStationAETitle",
        "PerformedStationName",
        "PerformedLocation",
        "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime",
        "Modality",
        "StudyID",
        "SOPClassUID",
        "SOPInstanceUID",
        "SpecificCharacterSet",
    }
)
"""What an N-SET may not change: it is left as it was, and the audit trail says so."""


def check_create(attributes: Dataset) -> None:
    """Refuse an N-CREATE that lacks what it must have.

    Raises:
        MissingAttributeError, MissingValueError: of type 1.
        InvalidValueError: the status is not IN PROGRESS, or date or time is none.
    """
    _require(attributes, CREATE_TYPE_1)
    for item in attributes.ScheduledStepAttributesSequence:
        _require(item, ("StudyInstanceUID",))
    if status_of(attributes) != IN_PROGRESS:
        message = f"A performed step begins IN PROGRESS, not {status_of(attributes)}."
        raise InvalidValueError(message, attribute="PerformedProcedureStepStatus")
    moment(attributes, "PerformedProcedureStepStart", ZoneInfo("UTC"))


def check_status(attributes: Dataset) -> str:
    """Return the status that an N-SET asks for; IN PROGRESS where it names none.

    Raises:
        InvalidValueError: it is none of the three.
    """
    status = status_of(attributes) or IN_PROGRESS
    if status not in EVENTS:
        message = f"{status} is no status of a performed step."
        raise InvalidValueError(message, attribute="PerformedProcedureStepStatus")
    return status


def check_final(attributes: Dataset, status: str) -> None:
    """Refuse a final state that lacks what it must have.

    A completed step names at least one series, each with its UID and protocol. A discontinued one
    may have made none.

    Raises:
        MissingAttributeError, MissingValueError: of type 1.
    """
    _require(attributes, FINAL_TYPE_1)
    if status == COMPLETED:
        _require(attributes, ("PerformedSeriesSequence",))
    for series in attributes.get("PerformedSeriesSequence") or []:
        _require(series, SERIES_TYPE_1)


def status_of(attributes: Dataset) -> str:
    """Return (0040,0252), or an empty text."""
    return str(attributes.get("PerformedProcedureStepStatus") or "").strip()


def _require(attributes: Dataset, keywords: tuple[str, ...]) -> None:
    for keyword in keywords:
        if keyword not in attributes:
            message = f"{keyword} is missing."
            raise MissingAttributeError(message, attribute=keyword)
        value = attributes[keyword].value
        if value is None or not (len(value) if hasattr(value, "__len__") else str(value)):
            message = f"{keyword} is empty."
            raise MissingValueError(message, attribute=keyword)


def moment(attributes: Dataset, prefix: str, zone: ZoneInfo) -> datetime.datetime:
    """Return the instant of `<prefix>Date` and `<prefix>Time`, read in (0008,0201) or the zone.

    Raises:
        InvalidValueError: they are no date and time.
    """
    date, time = (str(attributes.get(f"{prefix}{part}") or "").strip() for part in ("Date", "Time"))
    if not date:
        message = f"{prefix}Date is empty."
        raise MissingValueError(message, attribute=f"{prefix}Date")
    try:
        day, clock = DA(date), TM(time or "000000")
    except ValueError as error:
        message = f"{date} {time} is no date and time."
        raise InvalidValueError(message, attribute=f"{prefix}Date") from error
    return datetime.datetime.combine(day, clock, _offset(attributes, zone)).astimezone(datetime.UTC)


def _offset(attributes: Dataset, zone: ZoneInfo) -> datetime.tzinfo:
    text = str(attributes.get("TimezoneOffsetFromUTC") or "").strip()
    if len(text) != 5 or text[0] not in "+-" or not text[1:].isdigit():
        return zone
    minutes = int(text[1:3]) * 60 + int(text[3:])
    return datetime.timezone(datetime.timedelta(minutes=-minutes if text[0] == "-" else minutes))


def merged(before: Dataset, change: Dataset) -> tuple[Dataset, list[str]]:
    """Return the data set after an N-SET, and the keywords of what it may not set."""
    result = Dataset()
    result.update(before)
    refused = []
    for element in change:
        if element.keyword in FIXED_AT_CREATE:
            if element.keyword not in before or before[element.tag] != element:
                refused.append(element.keyword)
        else:
            result[element.tag] = element
    return result, sorted(refused)


def referenced_instances(attributes: Dataset) -> list[str]:
    """Return the SOP Instance UIDs that the performed series name, each once."""
    uids: dict[str, None] = {}
    for series in attributes.get("PerformedSeriesSequence") or []:
        for keyword in (
            "ReferencedImageSequence",
            "ReferencedNonImageCompositeSOPInstanceSequence",
        ):
            for item in series.get(keyword) or []:
                uids[str(item.get("ReferencedSOPInstanceUID") or "")] = None
    return [uid for uid in uids if uid]


def study_uids(attributes: Dataset) -> list[str]:
    """Return the Study Instance UIDs of the scheduled step attributes, each once."""
    items = attributes.get("ScheduledStepAttributesSequence") or []
    return list(dict.fromkeys(str(item.get("StudyInstanceUID") or "") for item in items))
