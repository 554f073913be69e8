"""Which attributes can be asked for, and where the index keeps them.

One table for C-FIND and QIDO-RS: matching, return and the conformance statement read it.

Source: PS3.4 C.6.1.1, C.6.2.1; PS3.18 Tables 10.6.1-5 and 10.6.3-3 to -5.
"""

import enum
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag


class Level(enum.IntEnum):
    """Query/Retrieve Level (0008,0052), outermost first."""

    PATIENT = 0
    STUDY = 1
    SERIES = 2
    IMAGE = 3


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the index.

    Attributes:
        column: lookup from the study, `{level}` prefixes are added by the engine; empty where the
            value is worked out.
        match: whether it can be a matching key.
    """

    tag: int
    vr: str
    level: Level
    column: str
    match: bool = True

    @property
    def keyword(self) -> str:
        """The standard's keyword."""
        return keyword_for_tag(self.tag)


PATIENT, STUDY, SERIES, IMAGE = Level
_TABLE = (
    Attribute(0x00100010, "PN", PATIENT, "received_patient_name"),
    Attribute(0x00100020, "LO", PATIENT, "received_patient_id"),
    Attribute(0x00100021, "LO", PATIENT, "received_issuer_of_patient_id"),
    Attribute(0x00100030, "DA", PATIENT, "received_patient_birth_date"),
    Attribute(0x00100040, "CS", PATIENT, "received_patient_sex"),
    Attribute(0x00201200, "IS", PATIENT, "", match=False),
    Attribute(0x00201202, "IS", PATIENT, "", match=False),
    Attribute(0x00201204, "IS", PATIENT, "", match=False),
    Attribute(0x00080020, "DA", STUDY, "study_date"),
    Attribute(0x00080030, "TM", STUDY, "study_time"),
    Attribute(0x00080050, "SH", STUDY, "accession_number"),
    Attribute(0x00080056, "CS", STUDY, "availability", match=False),
    Attribute(0x00080061, "CS", STUDY, "modalities_in_study"),
    Attribute(0x00080062, "UI", STUDY, "sop_classes_in_study"),
    Attribute(0x00080090, "PN", STUDY, "referring_physician_name"),
    Attribute(0x00080201, "SH", STUDY, "timezone_offset", match=False),
    Attribute(0x00081030, "LO", STUDY, "study_description"),
    Attribute(0x0020000D, "UI", STUDY, "study_instance_uid"),
    Attribute(0x00200010, "SH", STUDY, "study_id"),
    Attribute(0x00201206, "IS", STUDY, "number_of_series", match=False),
    Attribute(0x00201208, "IS", STUDY, "number_of_instances", match=False),
    Attribute(0x00080021, "DA", SERIES, "series_date"),
    Attribute(0x00080031, "TM", SERIES, "series_time"),
    Attribute(0x00080060, "CS", SERIES, "modality"),
    Attribute(0x00080070, "LO", SERIES, "manufacturer"),
    Attribute(0x00081010, "SH", SERIES, "station_name"),
    Attribute(0x0008103E, "LO", SERIES, "series_description"),
    Attribute(0x00180015, "CS", SERIES, "body_part_examined"),
    Attribute(0x0020000E, "UI", SERIES, "series_instance_uid"),
    Attribute(0x00200011, "IS", SERIES, "series_number"),
    Attribute(0x00200060, "CS", SERIES, "laterality"),
    Attribute(0x00201209, "IS", SERIES, "number_of_instances", match=False),
    Attribute(0x00400244, "DA", SERIES, "performed_start_date"),
    Attribute(0x00400245, "TM", SERIES, "performed_start_time"),
    Attribute(0x00400009, "SH", SERIES, "scheduled_procedure_step_id"),
    Attribute(0x00401001, "SH", SERIES, "requested_procedure_id"),
    Attribute(0x00080016, "UI", IMAGE, "sop_class_uid"),
    Attribute(0x00080018, "UI", IMAGE, "sop_instance_uid"),
    Attribute(0x00080023, "DA", IMAGE, "content_date"),
    Attribute(0x00080033, "TM", IMAGE, "content_time"),
    Attribute(0x00200013, "IS", IMAGE, "instance_number"),
    Attribute(0x00280008, "IS", IMAGE, "number_of_frames"),
    Attribute(0x00280010, "US", IMAGE, "rows"),
    Attribute(0x00280011, "US", IMAGE, "columns"),
    Attribute(0x00280100, "US", IMAGE, "bits_allocated"),
)
ATTRIBUTES: dict[int, Attribute] = {attribute.tag: attribute for attribute in _TABLE}
BY_KEYWORD: dict[str, Attribute] = {attribute.keyword: attribute for attribute in _TABLE}

PATIENT_NAME, PATIENT_ID, ISSUER_OF_PATIENT_ID = 0x00100010, 0x00100020, 0x00100021
PATIENT_BIRTH_DATE, PATIENT_SEX = 0x00100030, 0x00100040
PATIENT_STUDIES, PATIENT_SERIES, PATIENT_INSTANCES = 0x00201200, 0x00201202, 0x00201204
STUDY_DATE, MODALITIES_IN_STUDY, SOP_CLASSES_IN_STUDY = 0x00080020, 0x00080061, 0x00080062
STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID = 0x0020000D, 0x0020000E, 0x00080018
SCHEDULED_STEP_ID, REQUESTED_PROCEDURE_ID = 0x00400009, 0x00401001
REQUEST_ATTRIBUTES_SEQUENCE = 0x00400275
IN_REQUEST = (SCHEDULED_STEP_ID, REQUESTED_PROCEDURE_ID)
UNIQUE_KEYS = {
    PATIENT: PATIENT_ID,
    STUDY: STUDY_INSTANCE_UID,
    SERIES: SERIES_INSTANCE_UID,
    IMAGE: SOP_INSTANCE_UID,
}
"""The unique key of each level. Source: PS3.4 C.6.1.1.2 to .5."""
MOMENTS = {
    0x00080020: 0x00080030,
    0x00080021: 0x00080031,
    0x00080023: 0x00080033,
    0x00400244: 0x00400245,
}
"""Which time completes which date, for combined date-time matching (PS3.4 C.2.2.2.5)."""


def attributes_of(level: Level) -> list[Attribute]:
    """Return what a row of the level holds: its own attributes and those of the levels above."""
    return [attribute for attribute in _TABLE if attribute.level <= level]
