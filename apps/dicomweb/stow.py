"""STOW-RS: multipart bodies streamed to the archive, part by part.

Source: PS3.18 10.5, Annex I.2.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.archive.incoming import Staged, discard_staged, stage_each
from apps.archive.storage import StorageError
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import DomainError
from apps.dicomweb.accept import MediaRange, accepted, chosen, media_range
from apps.dicomweb.bulk import Spool, UnusedPartError
from apps.dicomweb.door import DOOR, base_address, door
from apps.dicomweb.errors import MalformedError, UnsupportedMediaTypeError
from apps.dicomweb.multipart import MultipartReader
from apps.dicomweb.store_answer import JSON, OFFERS, XML, Outcome, answer, outcome_of, refused
from apps.studies.compose import SOP_CLASS_UID, SOP_INSTANCE_UID, compose, uid_in
from apps.studies.ingest.received import read_received
from apps.studies.json_values import MetadataError
from apps.studies.services import instances_record

DICOM = "application/dicom"
TAKEN = (DICOM, JSON, XML)
BATCH = 64
Reading = Callable[[MultipartReader], Iterator[Staged | Outcome]]


class OtherStudyError(DomainError):
    """The object is of another study than the address names."""

    code = "dicomweb.other-study"
    message = "The object belongs to another study than the address names. It was not kept."


@door("POST", gives=OFFERS, takes=[f'multipart/related; type="{one}"' for one in TAKEN])
def store(request: HttpRequest, study: str = "") -> HttpResponse:
    """`/studies` and `/studies/{study}`: 200 all kept, 202 with remarks, 409 none kept.

    The body is files (`application/dicom`), or metadata in JSON or XML with the bulk data beside.
    """
    media_type = chosen(accepted(request), OFFERS)
    kind = _kind(request)
    reader = MultipartReader(request, _boundary(kind))
    received = _files(reader) if kind.inner not in (JSON, XML) else _composed(reader, kind.inner)
    outcomes = _record_all(
        request.actor,  # type: ignore[attr-defined]
        (_of_study(one, study) if study else one for one in received),
    )
    if not outcomes:
        message = "The body holds no instances."
        raise MalformedError(message)
    return answer(outcomes, base_address(request), media_type)


def _kind(request: HttpRequest) -> MediaRange:
    content_type = request.headers.get("Content-Type", "")
    kind = media_range(content_type)
    if kind is None or not kind.multipart or kind.inner not in (*TAKEN, "*/*"):
        raise UnsupportedMediaTypeError(content_type=content_type)
    return kind


def _boundary(kind: MediaRange) -> str:
    boundary = kind.parameters.get("boundary", "")
    if not boundary:
        message = "Content-Type names no boundary."
        raise MalformedError(message)
    return boundary


def _files(reader: MultipartReader) -> Iterator[Staged | Outcome]:
    """Stream each part to the archive; what cannot be staged is answered as a failure."""
    for staged in stage_each(part.chunks() for part in reader.parts()):
        message = "A part is no DICOM file. It was not kept."
        yield staged or refused(MalformedError(message))


def _composed(reader: MultipartReader, media_type: str) -> Iterator[Staged | Outcome]:
    """Join metadata and bulk data, once all of both has come."""
    with Spool(media_type) as spool:
        for part in reader.parts():
            spool.take(part)
        count = 0
        for metadata in spool.instances():
            count += 1
            yield _joined(metadata, spool)
        if count:
            yield from (refused(UnusedPartError()) for _ in range(spool.unused()))


def _joined(metadata: Any, spool: Spool) -> Staged | Outcome:
    if not isinstance(metadata, Mapping):
        return refused(MetadataError())
    try:
        return compose(metadata, spool)
    except StorageError:
        raise
    except DomainError as error:
        uids = (uid_in(metadata, tag) for tag in (SOP_CLASS_UID, SOP_INSTANCE_UID))
        return refused(error, *uids)


def _of_study(received: Staged | Outcome, study: str) -> Staged | Outcome:
    if isinstance(received, Outcome):
        return received
    error: DomainError
    try:
        if read_received(received).study_instance_uid == study:
            return received
        error = OtherStudyError()
    except DomainError as unreadable:
        error = unreadable
    discard_staged(received)
    return refused(error, received.sop_class_uid, received.sop_instance_uid)


def _record_all(actor: Actor, received: Iterable[Staged | Outcome]) -> list[Outcome]:
    """Record what comes in batches; where the body breaks off, what waits is removed."""
    outcomes: list[Outcome] = []
    waiting: list[Staged] = []
    try:
        for one in received:
            if isinstance(one, Outcome):
                outcomes.append(one)
                continue
            waiting.append(one)
            if len(waiting) == BATCH:
                full, waiting = waiting, []
                outcomes += _record(actor, full)
    except BaseException:
        for staged in waiting:
            discard_staged(staged)
        raise
    return outcomes + _record(actor, waiting)


def _record(actor: Actor, batch: Sequence[Staged]) -> list[Outcome]:
    if not batch:
        return []
    results = instances_record(actor=actor, batch=batch, at=clock.now(), door=DOOR)
    return [outcome_of(result) for result in results]
