"""What the DIMSE listener and its requestors are made of, as facts of the conformance statement."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.uid import UID

from apps.accounts.domain import Verb
from apps.core.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from apps.dimse.listener import MAX_ASSOCIATIONS, PROCESSES
from apps.dimse.provider import PROOFS
from apps.dimse.questions import SOP_CLASSES
from apps.dimse.scp.identifiers import LEVELS_OF
from apps.dimse.scp.senders import MAX_OPENINGS
from apps.dimse.sop_classes import (
    EXTENDED_OPTIONS,
    QUERY_RETRIEVE,
    SERVED,
    Root,
    Service,
    service_of,
)
from apps.dimse.statuses import ANSWERS
from apps.dimse.upper.negotiation import OPTIONS, UNCOMPRESSED_LE
from apps.dimse.upper.pdu import APPLICATION_CONTEXT
from apps.dimse.upper.provider import Limits
from apps.dimse.upper.requestor import MAX_PDU_BYTES
from apps.dimse.upper.tls import CIPHERS
from apps.studies.codecs import DEFLATED_FRAME, VIDEO
from apps.studies.query import Level, attributes_of, matching
from apps.studies.query.attributes import (
    IN_REQUEST,
    MODALITIES_IN_STUDY,
    PATIENT_ID,
    SOP_CLASSES_IN_STUDY,
    UNIQUE_KEYS,
    Attribute,
)
from apps.studies.query.engine import MATCHING
from apps.studies.retrieve.transcode import TARGETS
from apps.worklists.modality.items import KEYS, STEP_KEYS
from apps.worklists.performing.rules import CREATE_TYPE_1, FINAL_TYPE_1, SERIES_TYPE_1

Facts = dict[str, Any]
NEWER = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    DEFLATED_FRAME: "Deflated Image Frame Compression",
}
"""What we decode and pydicom's dictionary does not know yet. Source: PS3.6 Table A-1."""
RULES: Mapping[object, str] = {
    matching.date_filter: "single value, range",
    matching.time_filter: "single value (as precise as given), range",
    matching.uid_filter: "single value, list of UIDs",
    matching.number_filter: "single value",
    matching.integer_filter: "single value",
    matching.text_filter: "single value, list, wild cards",
    matching.person_name_filter: "single value, wild cards; case and accents do not count",
    matching.array_filter: "any of its values by single value, list, wild cards",
}


def named(uid: str) -> Facts:
    """Return a UID with its name; of what the standard has taken back there is none."""
    name = NEWER.get(uid) or UID(uid).name
    return {"uid": uid, "name": name if name and name != uid else "(retired)"}


def storage_classes() -> list[Facts]:
    """Return the standard's SOP classes that `service_of` takes as storage, by name."""
    known = [uid for uid in UID_dictionary if service_of(uid) is Service.STORE]
    return sorted((named(uid) for uid in known), key=lambda one: str(one["name"]))


def known_transfer_syntaxes() -> list[Facts]:
    """Return the standard's transfer syntaxes: storage takes all, and any other too."""
    known = [
        uid
        for uid, (_, kind, *_) in UID_dictionary.items()
        if kind == "Transfer Syntax" and "encapsulation" not in UID(uid).name
    ]
    return [named(uid) for uid in (*known, *NEWER)]


def key_of(attribute: Attribute) -> Facts:
    """Return a query key with how it matches; empty where it is returned only."""
    rule: object = MATCHING.get(attribute.vr, matching.text_filter)
    if attribute.vr == "PN":
        rule = matching.person_name_filter
    elif attribute.tag in (MODALITIES_IN_STUDY, SOP_CLASSES_IN_STUDY):
        rule = matching.array_filter
    words = RULES[rule] if attribute.match else ""
    if attribute.tag == PATIENT_ID:
        words += "; any number of a merged patient"
    return {
        "keyword": attribute.keyword,
        "tag": tag(attribute.tag),
        "vr": attribute.vr,
        "level": attribute.level.name,
        "matching": words,
        "unique": UNIQUE_KEYS[attribute.level] == attribute.tag,
        "within": "RequestAttributesSequence" if attribute.tag in IN_REQUEST else "",
    }


def tag(number: int) -> str:
    """Return a tag as the standard writes it."""
    return f"({number >> 16:04X},{number & 0xFFFF:04X})"


def _attribute(keyword: str, within: str = "") -> Facts:
    number = tag_for_keyword(keyword)
    if number is None:
        raise KeyError(keyword)
    return {
        "keyword": keyword_for_tag(number),
        "tag": tag(number),
        "vr": dictionary_VR(number),
        "within": within,
    }


def facts() -> Facts:
    """Return what the conformance statement says of DIMSE."""
    limits = Limits()
    return {
        "application_context": APPLICATION_CONTEXT,
        "ae_title": settings.ISOCENTER_AE_TITLE,
        "port": settings.ISOCENTER_DICOM_PORT,
        "tls_port": settings.ISOCENTER_DICOM_TLS_PORT,
        "tls_ciphers": CIPHERS,
        "asked": sorted(SOP_CLASSES.values()),
        "open": settings.ISOCENTER_OPEN_AE,
        "implementation_class_uid": IMPLEMENTATION_CLASS_UID,
        "implementation_version_name": IMPLEMENTATION_VERSION_NAME,
        "max_pdu_received": limits.max_pdu_bytes,
        "max_pdu_received_as_requestor": MAX_PDU_BYTES,
        "max_identifier": limits.max_identifier_bytes,
        "processes": PROCESSES,
        "associations": MAX_ASSOCIATIONS,
        "artim_seconds": limits.artim_s,
        "idle_seconds": limits.idle_s,
        "message_seconds": limits.message_s,
        "openings": MAX_OPENINGS,
        "verbs": [verb.value for verb in Verb if verb.value in set(Service)],
        "identities": dict(PROOFS),
        "served": [{**named(uid), "service": service.value} for uid, service in SERVED.items()],
        "storage": storage_classes(),
        "storage_transfer_syntaxes": known_transfer_syntaxes(),
        "uncompressed": [named(uid) for uid in UNCOMPRESSED_LE],
        "options": {
            UID(uid).name: [name for name, _ in OPTIONS[:count]]
            for uid, count in EXTENDED_OPTIONS.items()
        },
        "option_words": dict(OPTIONS),
        "retrieve": [
            {**named(uid), "service": service.value, "root": root.value}
            for uid, (service, root) in QUERY_RETRIEVE.items()
        ],
        "levels": {root.value: [level.name for level in LEVELS_OF[root]] for root in Root},
        "keys": [key_of(attribute) for attribute in attributes_of(Level.IMAGE)],
        "worklist_keys": [_attribute(keyword) for keyword in KEYS]
        + [_attribute(keyword, "ScheduledProcedureStepSequence") for keyword in STEP_KEYS],
        "mpps": {
            "create": list(CREATE_TYPE_1),
            "final": list(FINAL_TYPE_1),
            "series": list(SERIES_TYPE_1),
        },
        "transcoded_to": [named(uid) for uid in TARGETS],
        "never_transcoded": [named(uid) for uid in sorted(VIDEO)],
        "statuses": {
            service.value: {f"{code:04X}H": words for code, words in sorted(answers.items())}
            for service, answers in ANSWERS.items()
        },
    }
