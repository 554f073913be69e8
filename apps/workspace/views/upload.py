"""Bringing images through the browser: the page, and what its script asks."""

from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import Any
from urllib.parse import urlencode

import orjson
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.domain import Permission
from apps.accounts.pages import page, status_of
from apps.audit.steps import record_read
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import DomainError, InvalidInputError
from apps.studies import audit_events
from apps.studies.domain import FileOutcome
from apps.studies.models import Upload, UploadedFile
from apps.studies.services.uploads import (
    OFFERED_AT_ONCE,
    PIECE_BYTES,
    Offer,
    files_offer,
    piece_take,
    upload_begin,
    upload_end,
    wholes_take,
)
from apps.studies.steps import CONFLICT
from apps.studies.uploads import (
    UploadedStudy,
    open_upload,
    upload_access,
    upload_progress,
    upload_reasons,
    upload_studies,
)

READ_BYTES = 256 * 1024
OFFER_BYTES = 1 << 20
UNAVAILABLE = {"archive.storage-failed": 503, "archive.storage-full": 507}
WORDS = {
    FileOutcome.STORED: "new",
    FileOutcome.ALREADY_HERE: "already here",
    FileOutcome.OTHER_VERSION: "kept as another version",
    FileOutcome.QUARANTINED: "in quarantine",
    FileOutcome.REFUSED: "refused",
    FileOutcome.LEFT: "left alone",
    FileOutcome.UNPACKED: "unpacked",
}
View = Callable[..., HttpResponse]


def said(view: View) -> View:
    """Answer refusals to the page's script as JSON with words a person can act on."""

    @wraps(view)
    def answered(request: HttpRequest, **path: int) -> HttpResponse:
        try:
            return view(request, **path)
        except DomainError as error:
            body: dict[str, object] = {"message": error.message}
            if "received" in error.details:
                body["received"] = error.details["received"]
            status = UNAVAILABLE.get(error.code) or status_of(error)
            return JsonResponse(body, status=status)

    return answered


@require_GET
@page(Permission.STUDY_STORE)
def upload(request: HttpRequest) -> HttpResponse:
    """The page; an upload that was interrupted is gone on with."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    found = open_upload(actor)
    return render(
        request,
        "workspace/upload.html",
        {
            "upload": found,
            "piece_bytes": PIECE_BYTES,
            "offered_at_once": OFFERED_AT_ONCE,
            **(_result(actor, found) if found else {"progress": None}),
        },
    )


@require_POST
@page(Permission.STUDY_STORE)
@said
def begin(request: HttpRequest) -> HttpResponse:
    """Begin an upload; answers its number."""
    row = upload_begin(actor=request.actor, at=clock.now())  # type: ignore[attr-defined]
    return JsonResponse(
        {"id": row.pk, "url": reverse("workspace:upload-one", kwargs={"pk": row.pk})}
    )


@require_GET
@page(Permission.STUDY_STORE)
def result(request: HttpRequest, pk: int) -> HttpResponse:
    """What became of an upload so far, for the panel beside the files."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return render(request, "workspace/upload_result.html", _result(actor, upload_access(actor, pk)))


@require_POST
@page(Permission.STUDY_STORE)
@said
def offer(request: HttpRequest, pk: int) -> HttpResponse:
    """Note files before they come; answers what is here of each, in their order."""
    rows = files_offer(
        actor=request.actor,  # type: ignore[attr-defined]
        upload_id=pk,
        offers=_offers(request),
        at=clock.now(),
    )
    return JsonResponse({"files": [_file(row) for row in rows]})


@require_POST
@page(Permission.STUDY_STORE)
@said
def wholes(request: HttpRequest, pk: int) -> HttpResponse:
    """Take small files whole, one behind the other as `Upload-Files` names them."""
    keys = request.headers.get("Upload-Files", "").split(",")
    if not all(key.isdecimal() and len(key) < 19 for key in keys):
        raise InvalidInputError(field="files")
    rows = wholes_take(
        actor=request.actor,  # type: ignore[attr-defined]
        upload_id=pk,
        file_ids=[int(key) for key in keys],
        chunks=_body(request),
        at=clock.now(),
    )
    return JsonResponse({"files": [_file(row) for row in rows]})


@require_POST
@page(Permission.STUDY_STORE)
@said
def piece(request: HttpRequest, pk: int) -> HttpResponse:
    """Take bytes of a file from `Upload-Offset` on; answers how much is here, or its outcome."""
    offset, length = (request.headers.get(name, "") for name in ("Upload-Offset", "Content-Length"))
    if not offset.isdecimal() or not length.isdecimal():
        raise InvalidInputError(field="offset")
    row = piece_take(
        actor=request.actor,  # type: ignore[attr-defined]
        file_id=pk,
        offset=int(offset),
        length=int(length),
        chunks=_body(request),
        at=clock.now(),
    )
    return JsonResponse(_file(row))


@require_POST
@page(Permission.STUDY_STORE)
@said
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """End an upload; what did not come whole is given up."""
    upload_end(actor=request.actor, upload_id=pk, at=clock.now())  # type: ignore[attr-defined]
    return HttpResponse(status=204)


def _body(request: HttpRequest) -> Iterator[bytes]:
    """Yield the body.

    Raises:
        InvalidInputError: the connection broke; what came of it is no file's fault.
    """
    try:
        yield from iter(partial(request.read, READ_BYTES), b"")
    except OSError as error:
        message = "The connection broke. Send it again."
        raise InvalidInputError(message) from error


def _offers(request: HttpRequest) -> list[Offer]:
    body = request.read(OFFER_BYTES + 1)
    try:
        if len(body) > OFFER_BYTES:
            raise InvalidInputError(field="files")
        return [_offer(one) for one in orjson.loads(body)["files"]]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise InvalidInputError(field="files") from error


def _offer(one: dict[str, Any]) -> Offer:
    path, size, digest, uid = one["path"], one["size"], one["digest"], one.get("sop", "")
    texts = all(isinstance(text, str) and "\0" not in text for text in (path, digest, uid))
    if not texts or not path or type(size) is not int or not 0 <= size < 1 << 62:
        raise InvalidInputError(field="files")
    if digest and (len(digest) != 64 or not digest.isalnum()):
        raise InvalidInputError(field="digest")
    return Offer(path[-1000:], size, digest, uid[:64])


def _file(row: UploadedFile) -> dict[str, object]:
    outcome = FileOutcome(row.outcome) if row.outcome else None
    return {
        "id": row.pk,
        "url": reverse("workspace:upload-piece", kwargs={"pk": row.pk}),
        "received": row.received_bytes,
        "outcome": row.outcome,
        "words": row.reason or (WORDS[outcome] if outcome else ""),
    }


def _result(actor: Actor, found: Upload) -> dict[str, object]:
    studies = upload_studies(actor, found)
    for one in studies:
        record_read(
            actor=actor,
            event=audit_events.UPLOAD_VIEWED,
            door="page",
            patient=one.study.patient_id,
            study=one.study.study_instance_uid,
        )
    return {
        "upload": found,
        "progress": upload_progress(found),
        "studies": [_study(actor, one) for one in studies],
        "reasons": [
            (reason, WORDS[FileOutcome(reason.outcome)]) for reason in upload_reasons(found)
        ],
        "quarantine": f"{reverse('workspace:quarantine')}?{urlencode({'source': actor.key})}",
        "may_decide": actor.may(Permission.STUDY_RECONCILE),
    }


def _study(actor: Actor, one: UploadedStudy) -> dict[str, object]:
    item = one.attention if actor.may(Permission.ATTENTION_READ) else None
    query = urlencode({"kind": item.kind, "item": item.address}) if item else ""
    return {
        "study": one.study,
        "counts": [(one.counts[o], WORDS[o]) for o in FileOutcome if one.counts.get(o)],
        "matched": one.matched,
        "conflict": item is not None and item.kind == CONFLICT,
        "mend": f"{reverse('workspace:attention')}?{query}" if item else "",
    }
