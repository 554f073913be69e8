"""STOW-RS: multipart bodies streamed to the archive, part by part.

Source: PS3.18 10.5, Annex I.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse

from apps.archive.incoming import Staged, discard_staged, stage_part10
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import DomainError
from apps.dicomweb.accept import media_range
from apps.dicomweb.door import DOOR, base_address, door
from apps.dicomweb.errors import FAILURE_REASON, MalformedError, UnsupportedMediaTypeError
from apps.dicomweb.multipart import IncomingPart, MultipartReader
from apps.studies.ingest.received import read_received
from apps.studies.services import InstanceResult, InstanceStatus, instances_record

JSON = "application/dicom+json"
BATCH = 64
FAILED_SOP_SEQUENCE = "00081198"
OTHER_FAILURES_SEQUENCE = "0008119A"  # for what does not even name itself: PS3.18 Table I.1-1
OTHER_VERSION_KEPT = 0xB000
KEPT_IN_QUARANTINE = 0xB007
WARNING_REASON = {
    InstanceStatus.OTHER_VERSION: OTHER_VERSION_KEPT,
    InstanceStatus.QUARANTINED: KEPT_IN_QUARANTINE,
}


class OtherStudyError(DomainError):
    """The object is of another study than the address names."""

    code = "dicomweb.other-study"
    message = "The object belongs to another study than the address names. It was not kept."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one part."""

    sop_class_uid: str
    sop_instance_uid: str
    status: InstanceStatus
    path: str = ""
    code: str = ""


@door("POST")
def store(request: HttpRequest, study: str = "") -> HttpResponse:
    """`/studies` and `/studies/{study}`: 200 all kept, 202 with remarks, 409 none kept."""
    reader = MultipartReader(request, _boundary(request))
    actor: Actor = request.actor  # type: ignore[attr-defined]
    outcomes: list[Outcome] = []
    waiting: list[Staged] = []
    try:
        for part in reader.parts():
            received = _receive(part, study)
            if isinstance(received, Outcome):
                outcomes.append(received)
                continue
            waiting.append(received)
            if len(waiting) == BATCH:
                outcomes += _record(actor, waiting)
                waiting = []
    except BaseException:
        for staged in waiting:
            discard_staged(staged)
        raise
    outcomes += _record(actor, waiting)
    if not outcomes:
        message = "The body holds no parts."
        raise MalformedError(message)
    return _answer(outcomes, base_address(request))


def _boundary(request: HttpRequest) -> str:
    kind = media_range(request.headers.get("Content-Type", ""))
    if kind is None or not kind.multipart or kind.inner not in ("application/dicom", "*/*"):
        raise UnsupportedMediaTypeError(content_type=request.headers.get("Content-Type", ""))
    boundary = kind.parameters.get("boundary", "")
    if not boundary:
        message = "Content-Type names no boundary."
        raise MalformedError(message)
    return boundary


def _receive(part: IncomingPart, study: str) -> Staged | Outcome:
    """Stream one part to the archive; what cannot be staged is answered as a failure."""
    chunks = part.chunks()
    staged = stage_part10(chunks)
    if staged is None:
        for _ in chunks:
            pass  # read to the next boundary
        return Outcome("", "", InstanceStatus.REFUSED, code=MalformedError.code)
    return _of_study(staged, study) if study else staged


def _of_study(staged: Staged, study: str) -> Staged | Outcome:
    try:
        if read_received(staged).study_instance_uid == study:
            return staged
        code = OtherStudyError.code
    except DomainError as error:
        code = error.code
    discard_staged(staged)
    return Outcome(staged.sop_class_uid, staged.sop_instance_uid, InstanceStatus.REFUSED, code=code)


def _record(actor: Actor, batch: Sequence[Staged]) -> list[Outcome]:
    if not batch:
        return []
    results = instances_record(actor=actor, batch=batch, at=clock.now(), door=DOOR)
    return [_outcome(result) for result in results]


def _outcome(result: InstanceResult) -> Outcome:
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
        code=result.error.code if result.error else "",
    )


def _answer(outcomes: Sequence[Outcome], base: str) -> HttpResponse:
    kept = [one for one in outcomes if one.status is not InstanceStatus.REFUSED]
    failed = [one for one in outcomes if one.status is InstanceStatus.REFUSED]
    remarks = any(one.status in WARNING_REASON for one in kept)
    body: dict[str, Any] = {}
    if kept:
        studies = {one.path.split("/series/")[0] for one in kept if one.path}
        if len(studies) == 1:
            body["00081190"] = {"vr": "UR", "Value": [base + studies.pop()]}
        body["00081199"] = {"vr": "SQ", "Value": [_referenced(one, base) for one in kept]}
    named = [one for one in failed if one.sop_instance_uid]
    nameless = [one for one in failed if not one.sop_instance_uid]
    for tag, ones in ((FAILED_SOP_SEQUENCE, named), (OTHER_FAILURES_SEQUENCE, nameless)):
        if ones:
            body[tag] = {"vr": "SQ", "Value": [_failed(one) for one in ones]}
    status = 409 if not kept else 202 if failed or remarks else 200
    return HttpResponse(orjson.dumps(body), content_type=JSON, status=status)


def _sop(one: Outcome) -> dict[str, Any]:
    named = {"00081150": one.sop_class_uid, "00081155": one.sop_instance_uid}
    return {tag: {"vr": "UI", "Value": [uid]} for tag, uid in named.items() if uid}


def _referenced(one: Outcome, base: str) -> dict[str, Any]:
    """One that was kept; what waits in quarantine cannot be fetched, so it has no address."""
    where = {"vr": "UR", "Value": [base + one.path]} if one.path else {"vr": "UR"}
    item = _sop(one) | {"00081190": where}
    if one.status in WARNING_REASON:
        item["00081196"] = {"vr": "US", "Value": [WARNING_REASON[one.status]]}
    return item


def _failed(one: Outcome) -> dict[str, Any]:
    return _sop(one) | {"00081197": {"vr": "US", "Value": [FAILURE_REASON[one.code]]}}
