"""DIMSE status codes, and the one table from a domain error to them.

Source: PS3.7 Annex C; PS3.4 Tables B.2-1 (storage), C.4-1 (find), C.4-2 (move), C.4-3 (get).
"""

from collections.abc import Mapping

from apps.core.errors import DomainError
from apps.dimse.sop_classes import Service

SUCCESS = 0x0000
PENDING = 0xFF00
PENDING_OPTIONAL_KEYS_UNSUPPORTED = 0xFF01
CANCELLED = 0xFE00

ATTRIBUTE_LIST_ERROR = 0x0107
PROCESSING_FAILURE = 0x0110
DUPLICATE_SOP_INSTANCE = 0x0111
NO_SUCH_SOP_INSTANCE = 0x0112
INVALID_ATTRIBUTE_VALUE = 0x0106
INVALID_ARGUMENT = 0x0115
INVALID_SOP_INSTANCE = 0x0117
MISSING_ATTRIBUTE = 0x0120
MISSING_ATTRIBUTE_VALUE = 0x0121
SOP_CLASS_NOT_SUPPORTED = 0x0122
NO_SUCH_ACTION = 0x0123
NOT_AUTHORISED = 0x0124
UNRECOGNISED_OPERATION = 0x0211

OUT_OF_RESOURCES = 0xA700
CANNOT_COUNT_MATCHES = 0xA701
CANNOT_PERFORM_SUB_OPERATIONS = 0xA702
MOVE_DESTINATION_UNKNOWN = 0xA801
DATA_SET_DOES_NOT_MATCH = 0xA900
IDENTIFIER_DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
WARNING_ELEMENTS_DISCARDED = 0xB006
WARNING_COERCED = 0xB000
WARNING_DOES_NOT_MATCH_SOP_CLASS = 0xB007
WARNING_SUB_OPERATIONS_FAILED = 0xB000

_REFUSED: dict[int, str] = {
    SOP_CLASS_NOT_SUPPORTED: "Refused: the SOP class is not that of the presentation context",
    NOT_AUTHORISED: "Refused: this AE may not ask for this service",
}
_IDENTIFIER = {
    OUT_OF_RESOURCES: "Refused: more matches, or more work, than one answer may have",
    IDENTIFIER_DOES_NOT_MATCH: "Failed: the identifier does not fit the SOP class; "
    "the error comment says which key and why",
    CANNOT_UNDERSTAND: "Failed: the identifier cannot be read",
}
_RETRIEVE = _REFUSED | {
    SUCCESS: "All sub-operations are done, or there was nothing to send",
    PENDING: "Sub-operations continue; about once a second",
    CANCELLED: "Sub-operations were ended by C-CANCEL",
    WARNING_SUB_OPERATIONS_FAILED: "Done; some sub-operations failed or had warnings: "
    "Failed SOP Instance UID List",
    OUT_OF_RESOURCES: "Refused: the archive's storage does not answer",
    CANNOT_PERFORM_SUB_OPERATIONS: "Refused: no sub-operation succeeded",
    IDENTIFIER_DOES_NOT_MATCH: _IDENTIFIER[IDENTIFIER_DOES_NOT_MATCH],
    CANNOT_UNDERSTAND: _IDENTIFIER[CANNOT_UNDERSTAND],
}
ANSWERS: Mapping[Service, Mapping[int, str]] = {
    Service.ECHO: {SUCCESS: "We are there", NOT_AUTHORISED: _REFUSED[NOT_AUTHORISED]},
    Service.STORE: _REFUSED
    | {
        SUCCESS: "Durably kept, or kept already",
        WARNING_COERCED: "Kept as another version: other content has this SOP Instance UID",
        WARNING_DOES_NOT_MATCH_SOP_CLASS: "Kept in quarantine for a person to decide on",
        PROCESSING_FAILURE: "Failed: the database or a rule did not let it be filed",
        INVALID_SOP_INSTANCE: "Refused: the SOP Instance UID is no UID",
        OUT_OF_RESOURCES: "Refused: no room, or the storage does not answer",
        DATA_SET_DOES_NOT_MATCH: "Failed: the data set is of another class or instance, or has "
        "defects that are not taken from this sender",
        CANNOT_UNDERSTAND: "Failed: the data set cannot be read, is cut off or lacks a UID",
    },
    Service.FIND: _REFUSED
    | _IDENTIFIER
    | {
        SUCCESS: "All matches are sent",
        PENDING: "A match",
        PENDING_OPTIONAL_KEYS_UNSUPPORTED: "A match; an optional key is not supported",
        CANCELLED: "Matching was ended by C-CANCEL",
    },
    Service.MOVE: _RETRIEVE | {MOVE_DESTINATION_UNKNOWN: "Refused: the destination is unknown"},
    Service.GET: _RETRIEVE,
    Service.WORKLIST: _REFUSED
    | _IDENTIFIER
    | {
        SUCCESS: "All matches are sent",
        PENDING: "A match",
        PENDING_OPTIONAL_KEYS_UNSUPPORTED: "A match; an optional key is not supported",
        CANCELLED: "Matching was ended by C-CANCEL",
    },
    Service.MPPS: _REFUSED
    | {
        SUCCESS: "Recorded",
        INVALID_ATTRIBUTE_VALUE: "Failed: a value is none of those allowed",
        PROCESSING_FAILURE: "Failed: the step is final and may no longer be updated "
        "(Error ID A710H), or it could not be recorded",
        DUPLICATE_SOP_INSTANCE: "Failed: the step exists already",
        NO_SUCH_SOP_INSTANCE: "Failed: no such step, or not this AE's to see",
        INVALID_SOP_INSTANCE: "Refused: the SOP Instance UID is no UID",
        MISSING_ATTRIBUTE: "Failed: an attribute of type 1 is missing",
        MISSING_ATTRIBUTE_VALUE: "Failed: an attribute of type 1 has no value",
        CANNOT_UNDERSTAND: "Failed: the data set cannot be read",
    },
    Service.COMMIT: _REFUSED
    | {
        SUCCESS: "Taken down; the result follows by N-EVENT-REPORT",
        PROCESSING_FAILURE: "Failed: it could not be taken down",
        INVALID_ARGUMENT: "Failed: no Transaction UID or no reference, or one used before",
        NO_SUCH_SOP_INSTANCE: "Refused: not the well-known instance",
        NO_SUCH_ACTION: "Refused: not Action Type 1",
    },
}
"""Every status that a service answers with; tests hold the listener to it."""


def is_warning(status: int) -> bool:
    """Tell whether a C-STORE was done with a remark. Source: PS3.7 C.4.2."""
    return status in {0x0001, 0x0107, 0x0116} or status & 0xF000 == 0xB000


STATUS_OF_CODE = {
    "dimse.identifier": IDENTIFIER_DOES_NOT_MATCH,
    "core.not-found": NO_SUCH_SOP_INSTANCE,
    "core.not-permitted": NOT_AUTHORISED,
    "core.invalid": INVALID_ATTRIBUTE_VALUE,
    "core.conflict": PROCESSING_FAILURE,
    "core.transition-not-allowed": PROCESSING_FAILURE,
    "archive.storage-failed": OUT_OF_RESOURCES,
    "archive.storage-full": OUT_OF_RESOURCES,
    "archive.no-copy": PROCESSING_FAILURE,
    "studies.cannot-understand": CANNOT_UNDERSTAND,
    "studies.truncated": CANNOT_UNDERSTAND,
    "studies.missing-uid": CANNOT_UNDERSTAND,
    "studies.does-not-match": DATA_SET_DOES_NOT_MATCH,
    "studies.defective": DATA_SET_DOES_NOT_MATCH,
    "studies.no-transfer-syntax": CANNOT_PERFORM_SUB_OPERATIONS,
    "studies.query-refused": IDENTIFIER_DOES_NOT_MATCH,
    "studies.query-too-broad": OUT_OF_RESOURCES,
    "exchange.transaction-reused": INVALID_ARGUMENT,
    "worklists.invalid-key": IDENTIFIER_DOES_NOT_MATCH,
    "worklists.mpps-missing-attribute": MISSING_ATTRIBUTE,
    "worklists.mpps-missing-value": MISSING_ATTRIBUTE_VALUE,
    "worklists.mpps-invalid-value": INVALID_ATTRIBUTE_VALUE,
    "worklists.mpps-duplicate": DUPLICATE_SOP_INSTANCE,
    "worklists.mpps-unknown": NO_SUCH_SOP_INSTANCE,
    "worklists.mpps-final": PROCESSING_FAILURE,
}
"""Every code that can reach a peer of ours; a test proves that none is missing."""


def status_of(error: DomainError) -> int:
    """Return the DIMSE status of a domain error."""
    return STATUS_OF_CODE.get(error.code, PROCESSING_FAILURE)
