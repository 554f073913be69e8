"""Ending uploads, and cleaning up what nobody went on with."""

import datetime

from django.db import transaction
from django.db.models import F, Q, QuerySet

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.audit.steps import record
from apps.core.actors import Actor
from apps.studies import audit_events
from apps.studies.domain import FileOutcome
from apps.studies.models import Upload, UploadedFile, UploadPiece
from apps.studies.pieces import remove_bytes
from apps.studies.uploads import upload_access

PIECES_LIVE = datetime.timedelta(hours=24)
KEPT = datetime.timedelta(days=30)
UNFINISHED = "It had not come to its end when the upload was ended."


def upload_end(*, actor: Actor, upload_id: int, at: datetime.datetime) -> Upload:
    """End an upload: what did not come to its end is given up and told.

    What came whole and waits for a worker is still taken.
    """
    policy.require(actor, Permission.STUDY_STORE)
    pieces: list[UploadPiece] = []
    with transaction.atomic(durable=True):
        upload = upload_access(actor, upload_id, lock=True)
        if upload.ended_at is None:
            upload.ended_at = at
            upload.save(update_fields=["ended_at"])
            pieces = _give_up(upload.files.filter(_coming()))
    remove_bytes(pieces)
    return upload


def uploads_expire(*, actor: Actor, at: datetime.datetime) -> int:
    """Remove what nobody went on with for a day, and forget old uploads; return pieces removed."""
    stale = UploadedFile.objects.filter(_coming(), begun_at__lt=at - PIECES_LIVE)
    idle = Q(ended_at=None, last_at__lt=at - PIECES_LIVE) | Q(pk__in=stale.values("upload"))
    with transaction.atomic(durable=True):
        list(Upload.objects.select_for_update().filter(idle).order_by("pk"))  # before their files
        pieces = _give_up(stale)
        Upload.objects.filter(ended_at=None, last_at__lt=at - PIECES_LIVE).update(ended_at=at)
        Upload.objects.filter(last_at__lt=at - KEPT).delete()
        if pieces:
            record(
                actor=actor, event=audit_events.UPLOAD_ABANDONED, door="task", pieces=len(pieces)
            )
    remove_bytes(pieces)
    return len(pieces)


def _coming() -> Q:
    """Files that have not come to their end."""
    return Q(outcome="", received_bytes__lt=F("size_bytes"))


def _give_up(files: QuerySet[UploadedFile]) -> list[UploadPiece]:
    """Give files up inside a transaction; the bytes of the pieces returned go after it."""
    rows = list(files.select_for_update())
    pieces = list(UploadPiece.objects.filter(file__in=rows))
    UploadPiece.objects.filter(file__in=rows).delete()
    UploadedFile.objects.filter(pk__in=[row.pk for row in rows]).update(
        outcome=FileOutcome.LEFT, reason=UNFINISHED, received_bytes=0
    )
    return pieces
