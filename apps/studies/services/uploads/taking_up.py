"""Taking up: a worker brings what came in pieces through the one ingest."""

import datetime
from collections.abc import Sequence

from django.db.models import F, Q

from apps.accounts.selectors import actor_for_user
from apps.archive.incoming import Staged
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import NotPermittedError
from apps.studies.domain import FileOutcome
from apps.studies.importing import is_zip, zip_entries
from apps.studies.models import UploadedFile, UploadPiece
from apps.studies.pieces import PiecedFile, remove_bytes
from apps.studies.services.instances import instances_record
from apps.studies.services.taking import BATCH, FileTaken, files_take, taken
from apps.studies.services.uploads.noting import DOOR, facts, settle, stage

LEASE = datetime.timedelta(minutes=10)
MAGIC_BYTES = 4


def uploads_take(*, at: datetime.datetime) -> int:
    """Take up the files that are whole, one worker each; return how many were."""
    due = UploadedFile.objects.filter(
        Q(taken_up_at=None) | Q(taken_up_at__lt=at - LEASE),
        outcome="",
        parent=None,
        begun_at__isnull=False,
        received_bytes=F("size_bytes"),
    )
    return sum(_take_up(pk) for pk in due.order_by("pk").values_list("pk", flat=True))


def _take_up(pk: int) -> int:
    """Take a file that is whole, unless another worker has it."""
    now = clock.now()
    free = Q(taken_up_at=None) | Q(taken_up_at__lt=now - LEASE)
    if not UploadedFile.objects.filter(free, pk=pk, outcome="").update(taken_up_at=now):
        return 0
    file = UploadedFile.objects.select_related("upload__user").get(pk=pk)
    actor = actor_for_user(file.upload.user, file.upload.address)
    pieces = list(file.pieces.all())
    try:
        one = _take_pieces(file, pieces, actor)
    except NotPermittedError as error:
        one = FileTaken(file.path, FileOutcome.REFUSED, error.message)
    settle(file.upload_id, [(file, one)], clock.now())
    remove_bytes(pieces)
    return 1


def _take_pieces(file: UploadedFile, pieces: list[UploadPiece], actor: Actor) -> FileTaken:
    if not file.upload.user.is_active:
        return FileTaken(file.path, FileOutcome.REFUSED, "The account was closed meanwhile.")
    with PiecedFile.buffered(pieces) as source:
        head = source.read(MAGIC_BYTES)
        source.seek(0)
        if not is_zip(head):
            found = stage(file, source)
            if not isinstance(found, Staged):
                return found
            [result] = instances_record(actor=actor, batch=[found], at=clock.now(), door=DOOR)
            return taken(file.path, result)
        done = set(file.entries.values_list("path", flat=True))
        entries = (one for one in zip_entries(source, file.path) if one[0][-1000:] not in done)
        batch: list[FileTaken] = []
        for one in files_take(entries, actor=actor, door=DOOR):
            if one.name == file.path:  # the ZIP itself cannot be read
                return one
            batch.append(one)
            if len(batch) >= BATCH:
                _note_entries(file, batch)
                batch = []
        _note_entries(file, batch)
    return FileTaken(file.path, FileOutcome.UNPACKED)


def _note_entries(file: UploadedFile, batch: Sequence[FileTaken]) -> None:
    """Note what became of entries of a ZIP, and that the worker is alive."""
    UploadedFile.objects.bulk_create(
        [
            UploadedFile(upload=file.upload, parent=file, path=one.name[-1000:], **facts(one))
            for one in batch
        ],
        ignore_conflicts=True,
    )
    UploadedFile.objects.filter(pk=file.pk).update(taken_up_at=clock.now())
