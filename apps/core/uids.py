"""DICOM unique identifiers that we issue.

Source: PS3.5 B.2, UUID-derived UIDs under root 2.25: unique with no registered root.
"""

import uuid

IMPLEMENTATION_CLASS_UID = "2.25.175713250212467023467163386012381274625"
IMPLEMENTATION_VERSION_NAME = "ISOCENTER_01"


def new_uid() -> str:
    """Return a fresh UID, at most 44 characters."""
    return f"2.25.{uuid.uuid4().int}"


def derived_uid(*parts: str) -> str:
    """Return the UID that always belongs to these parts (for demo data and replays)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, '/'.join(parts)).int}"
