"""DIMSE status codes, and the one table from a domain error to them.

Source: PS3.7 Annex C; PS3.4 Tables B.2-1 (storage), C.4-1 (find), C.4-2 (move), C.4-3 (get).
"""

from apps.core.errors import DomainError

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
