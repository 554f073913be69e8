"""What a STOW-RS client hears of each object.

Source: PS3.18 10.5.3, Annex I.2.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import HttpResponse

from apps.core.errors import DomainError
from apps.dicomweb.errors import FAILURE_REASON
from apps.dicomweb.native_xml import model_xml
from apps.studies.services import InstanceResult, InstanceStatus

JSON, XML = "application/dicom+json", "application/dicom+xml"
OFFERS = (JSON, "application/json", XML)
REFERENCED_SOP_SEQUENCE = "00081199"
FAILED_SOP_SEQUENCE = "00081198"
OTHER_FAILURES_SEQUENCE = "0008119A"  # for what does not even name itself: PS3.18 Table I.1-1
OTHER_VERSION_KEPT = 0xB000
KEPT_IN_QUARANTINE = 0xB007
WARNING_REASON = {
    InstanceStatus.OTHER_VERSION: OTHER_VERSION_KEPT,
    InstanceStatus.QUARANTINED: KEPT_IN_QUARANTINE,
}
LONGEST_WARNING = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object of a request, or of a part that is none."""

    sop_class_uid: str
    sop_instance_uid: str
    status: InstanceStatus
    path: str = ""
    error: DomainError | None = None


def outcome_of(result: InstanceResult) -> Outcome:
    """Return the outcome of what was recorded."""
    uid = result.staged.sop_instance_uid
    path = (
        f"/studies/{result.study_instance_uid}/series/{result.series_instance_uid}/instances/{uid}"
    )
    filed = result.error is None and not result.quarantined
    return Outcome(
        result.staged.sop_class_uid,
        uid,
        result.status,
        path=path if filed else "",
        error=result.error,
    )


def refused(error: DomainError, sop_class_uid: str = "", sop_instance_uid: str = "") -> Outcome:
    """Return the outcome of what was not even staged."""
    return Outcome(sop_class_uid, sop_instance_uid, InstanceStatus.REFUSED, error=error)


def answer(outcomes: Sequence[Outcome], base: str, media_type: str) -> HttpResponse:
    """Say what became of everything: 200 all kept, 202 with remarks, 409 none kept.

    Args:
        outcomes: at least one.
        base: our address.
        media_type: one of `OFFERS`.
    """
    kept = [one for one in outcomes if one.status is not InstanceStatus.REFUSED]
    failed = [one for one in outcomes if one.status is InstanceStatus.REFUSED]
    remarks = any(one.status in WARNING_REASON for one in kept)
    body = _body(kept, failed, base)
    status = 409 if not kept else 202 if failed or remarks else 200
    content = model_xml(body) if media_type == XML else orjson.dumps(body)
    response = HttpResponse(content, content_type=media_type, status=status)
    if words := [one.error.message for one in failed if one.error]:
        response["Warning"] = _warning(words)
    return response


def _body(kept: Sequence[Outcome], failed: Sequence[Outcome], base: str) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if kept:
        studies = {one.path.split("/series/")[0] for one in kept if one.path}
        if len(studies) == 1:
            body["00081190"] = {"vr": "UR", "Value": [base + studies.pop()]}
        referenced = [_referenced(one, base) for one in kept]
        body[REFERENCED_SOP_SEQUENCE] = {"vr": "SQ", "Value": referenced}
    named = [one for one in failed if one.sop_instance_uid]
    nameless = [one for one in failed if not one.sop_instance_uid]
    for tag, ones in ((FAILED_SOP_SEQUENCE, named), (OTHER_FAILURES_SEQUENCE, nameless)):
        if ones:
            body[tag] = {"vr": "SQ", "Value": [_failed(one) for one in ones]}
    return body


def _sop(one: Outcome) -> dict[str, Any]:
    named = {"00081150": one.sop_class_uid, "00081155": one.sop_instance_uid}
    return {tag: {"vr": "UI", "Value": [uid]} for tag, uid in named.items() if uid}


def _referenced(one: Outcome, base: str) -> Mapping[str, Any]:
    """One that was kept; what waits in quarantine cannot be fetched, so it has no address."""
    where = {"vr": "UR", "Value": [base + one.path]} if one.path else {"vr": "UR"}
    item = _sop(one) | {"00081190": where}
    if one.status in WARNING_REASON:
        item["00081196"] = {"vr": "US", "Value": [WARNING_REASON[one.status]]}
    return item


def _failed(one: Outcome) -> Mapping[str, Any]:
    reason = FAILURE_REASON[one.error.code if one.error else ""]
    return _sop(one) | {"00081197": {"vr": "US", "Value": [reason]}}


def _warning(words: Sequence[str]) -> str:
    """Return the different reasons as a Warning header (RFC 7234 5.5; PS3.18 10.5.3.2)."""
    text = " ".join(dict.fromkeys(words)).encode("ascii", "replace").decode()
    return f'299 isocenter "{re.sub(r"[^ -~]", " ", text)[:LONGEST_WARNING].translate(QUOTED)}"'


QUOTED = str.maketrans({'"': "'", "\\": "/"})
