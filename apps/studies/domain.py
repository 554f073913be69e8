"""Words of the study index."""

import enum


class Completeness(enum.StrEnum):
    """How much of a study has come, beside its availability; each with its evidence."""

    RECEIVING = "RECEIVING"
    PARTIAL = "PARTIAL"
    COMPLETE = "COMPLETE"


class ClaimKind(enum.StrEnum):
    """Who says what a study consists of."""

    PERFORMED_STEP = "performed-step"
    COMMITMENT = "commitment"
    PERSON = "person"


class Availability(enum.StrEnum):
    """(0008,0056), PS3.3 C.4.23.1.1."""

    ONLINE = "ONLINE"
    NEARLINE = "NEARLINE"
    OFFLINE = "OFFLINE"
    UNAVAILABLE = "UNAVAILABLE"


class MatchReason(enum.StrEnum):
    """By what a study was joined to its requested procedure, strongest first."""

    STUDY_INSTANCE_UID = "study-instance-uid"
    ACCESSION_NUMBER = "accession-number"
    WEAK_KEYS = "weak-keys"
    PERSON = "person"


class Difference(enum.StrEnum):
    """In what a data set differs from the current one of its SOP Instance UID, graver last."""

    ENCODING = "encoding"
    HEADER = "header"
    UNKNOWN = "unknown"
    PIXELS = "pixels"


class IntakeAction(enum.StrEnum):
    """What becomes of objects with defects, by who sent them."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    QUARANTINE = "quarantine"


class QuarantineState(enum.StrEnum):
    """What became of an object that was held back."""

    HELD = "held"
    RELEASED = "released"
    DISCARDED = "discarded"
    REPLACED = "replaced"


class FileOutcome(enum.StrEnum):
    """What became of one file of an import or upload."""

    STORED = "stored"
    ALREADY_HERE = "already-here"
    OTHER_VERSION = "other-version"
    QUARANTINED = "quarantined"
    REFUSED = "refused"
    LEFT = "left"
    UNPACKED = "unpacked"
