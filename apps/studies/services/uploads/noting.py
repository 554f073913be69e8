"""What became of an uploaded file, worked out and written down."""

import datetime
from collections.abc import Sequence

from django.db import transaction

from apps.archive.incoming import Staged, discard_staged
from apps.studies.domain import FileOutcome
from apps.studies.importing import NotDicomFileError, Readable, stage_file
from apps.studies.models import Upload, UploadedFile, UploadPiece
from apps.studies.services.taking import FileTaken

DOOR = "page"
DAMAGED = "It changed or was damaged on its way here. Nothing of it was kept; send it again."


def stage(file: UploadedFile, source: Readable) -> Staged | FileTaken:
    """Stage a DICOM file; what is none, or another than was offered, is answered for."""
    try:
        staged = stage_file(source)
    except NotDicomFileError as error:
        return FileTaken(file.path, FileOutcome.LEFT, error.message)
    if staged.digest == file.digest:
        return staged
    discard_staged(staged)
    return FileTaken(file.path, FileOutcome.REFUSED, DAMAGED)


@transaction.atomic(durable=True)
def settle(
    upload_id: int, settled: Sequence[tuple[UploadedFile, FileTaken]], at: datetime.datetime
) -> None:
    """Write down what became of files; their pieces are forgotten, not yet their bytes."""
    touch(upload_id, at)
    for file, one in settled:
        for name, value in facts(one).items():
            setattr(file, name, value)
        file.received_bytes = file.size_bytes
    files = [file for file, _ in settled]
    names = ["outcome", "reason", "study_instance_uid", "sop_instance_uid", "received_bytes"]
    UploadedFile.objects.bulk_update(files, names)
    UploadPiece.objects.filter(file__in=files).delete()


def facts(one: FileTaken) -> dict[str, str]:
    """Return the columns that say what became of a file."""
    return {
        "outcome": one.outcome.value,
        "reason": one.words[:300],
        "study_instance_uid": one.study_instance_uid,
        "sop_instance_uid": one.sop_instance_uid[:64],
    }


def touch(upload_id: int, at: datetime.datetime) -> None:
    """Note when something of an upload last came.

    The upload's row is locked before those of its files, here as where files are offered: an offer
    waits for what changes a file, and would wait for ever on one that waits for the upload.
    """
    Upload.objects.filter(pk=upload_id).update(last_at=at)
