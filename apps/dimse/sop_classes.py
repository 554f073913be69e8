"""Which SOP classes we serve, and what each is for. The conformance statement is made from here.

Source: PS3.4, PS3.6 Annex A.
"""

import enum

from pydicom._uid_dict import UID_dictionary


class Service(enum.StrEnum):
    """A service class, as a provider."""

    ECHO = "echo"
    STORE = "store"
    FIND = "find"
    MOVE = "move"
    GET = "get"
    WORKLIST = "worklist"
    MPPS = "mpps"
    COMMIT = "commit"


class Root(enum.StrEnum):
    """Information model of a query or retrieve. Source: PS3.4 C.3."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"


VERIFICATION = "1.2.840.10008.1.1"
MODALITY_WORKLIST_FIND = "1.2.840.10008.5.1.4.31"
MODALITY_PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"
STORAGE_COMMITMENT_PUSH = "1.2.840.10008.1.20.1"
STORAGE_COMMITMENT_PUSH_INSTANCE = "1.2.840.10008.1.20.1.1"
"""The well-known SOP instance of the push model. Source: PS3.4 J.3.5."""

QUERY_RETRIEVE: dict[str, tuple[Service, Root]] = {
    "1.2.840.10008.5.1.4.1.2.1.1": (Service.FIND, Root.PATIENT),
    "1.2.840.10008.5.1.4.1.2.1.2": (Service.MOVE, Root.PATIENT),
    "1.2.840.10008.5.1.4.1.2.1.3": (Service.GET, Root.PATIENT),
    "1.2.840.10008.5.1.4.1.2.2.1": (Service.FIND, Root.STUDY),
    "1.2.840.10008.5.1.4.1.2.2.2": (Service.MOVE, Root.STUDY),
    "1.2.840.10008.5.1.4.1.2.2.3": (Service.GET, Root.STUDY),
}

SERVED = {
    VERIFICATION: Service.ECHO,
    MODALITY_WORKLIST_FIND: Service.WORKLIST,
    MODALITY_PERFORMED_PROCEDURE_STEP: Service.MPPS,
    STORAGE_COMMITMENT_PUSH: Service.COMMIT,
} | {uid: service for uid, (service, _) in QUERY_RETRIEVE.items()}

EXTENDED_OPTIONS = {
    uid: 3 if service is Service.FIND else 1 for uid, (service, _) in QUERY_RETRIEVE.items()
}
"""How many options of extended negotiation a SOP class has, from the first of PS3.4 C.5 on:
relational, combined date and time, fuzzy names; for retrieval the first alone."""

_STANDARD_ROOT = "1.2.840.10008."
_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
_NOT_STORAGE_WORDS = ("Commitment", "Media Storage Directory", "Print")


def service_of(abstract_syntax: str) -> Service | None:
    """Return what we offer for an abstract syntax, None where we offer nothing.

    Storage is whatever the standard calls storage, and everything the standard does not know:
    a private or newer class is kept bit-exact like any other.
    """
    if (served := SERVED.get(abstract_syntax)) is not None:
        return served
    if not abstract_syntax.startswith(_STANDARD_ROOT):
        return Service.STORE if is_uid(abstract_syntax) else None
    name, kind = UID_dictionary.get(abstract_syntax, ("", "SOP Class"))[:2]
    if name:
        is_storage = kind == "SOP Class" and "Storage" in name
        is_storage = is_storage and not any(word in name for word in _NOT_STORAGE_WORDS)
    else:
        is_storage = abstract_syntax.startswith(_STORAGE_ROOT)
    return Service.STORE if is_storage else None


def is_uid(value: str) -> bool:
    """Tell whether the text has the form of a UID. Source: PS3.5 9.1."""
    return 0 < len(value) <= 64 and all(part.isdecimal() for part in value.split("."))
