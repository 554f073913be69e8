"""Receiving: what is offered, what comes whole, what comes in pieces."""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.archive.incoming import Staged, discard_staged
from apps.core.actors import Actor
from apps.core.errors import ConflictError, InvalidInputError
from apps.core.steps import publish
from apps.studies.domain import FileOutcome
from apps.studies.importing import NotDicomFileError
from apps.studies.models import Instance, Upload, UploadedFile, UploadPiece
from apps.studies.pieces import remove_bytes, write_piece
from apps.studies.selectors import studies_visible_to
from apps.studies.services.instances import instances_record
from apps.studies.services.taking import BATCH, FileTaken, taken
from apps.studies.services.uploads.noting import DOOR, settle, stage, touch
from apps.studies.uploads import file_access, files_access, upload_access

PIECE_BYTES = 8 << 20
OFFERED_AT_ONCE = 200
MOST_FILES = 200_000
LARGEST_BYTES = 64 << 30
READ_BYTES = 1 << 20
NOT_DICOM = NotDicomFileError.message
DICOMDIR = "A DICOMDIR only lists the other files, and each of those is read itself."


class PieceOutOfPlaceError(ConflictError):
    """The piece does not begin where the file ends so far; `details` say where that is."""

    code = "studies.piece-out-of-place"
    message = "The file goes on from another place."


@dataclass(frozen=True, slots=True)
class Offer:
    """A file that the browser could send.

    Attributes:
        digest: SHA-256 of the data set where it is DICOM, else of all; empty for what is neither
            DICOM nor a ZIP.
        sop_instance_uid: as its file meta information names it.
    """

    path: str
    size_bytes: int
    digest: str
    sop_instance_uid: str = ""


@transaction.atomic(durable=True)
def upload_begin(*, actor: Actor, at: datetime.datetime) -> Upload:
    """Begin an upload of a signed-in person.

    Raises:
        NotPermittedError: the person may not store, or is none.
    """
    policy.require(actor, Permission.STUDY_STORE)
    if actor.user_id is None:
        message = "Only people upload."
        raise InvalidInputError(message)
    return Upload.objects.create(
        user_id=actor.user_id, address=actor.address[:64], begun_at=at, last_at=at
    )


@transaction.atomic(durable=True)
def files_offer(
    *, actor: Actor, upload_id: int, offers: Sequence[Offer], at: datetime.datetime
) -> list[UploadedFile]:
    """Note files before they come, and return each with what is here of it.

    What the archive has already, and the person may see, gets its outcome at once; so does what is
    no DICOM. Offering a file again changes nothing, but that one which was refused is tried anew.

    Raises:
        NotFoundError: no upload of this person.
        ConflictError: the upload has ended.
    """
    policy.require(actor, Permission.STUDY_STORE)
    upload = upload_access(actor, upload_id, lock=True)
    if upload.ended_at is not None:
        message = "This upload has ended. Begin another."
        raise ConflictError(message)
    if len(offers) > OFFERED_AT_ONCE or upload.files.count() + len(offers) > MOST_FILES:
        message = "These are too many files at once."
        raise InvalidInputError(message)
    here = _already_here(actor, offers)
    rows = [
        UploadedFile(
            upload=upload,
            path=offer.path,
            digest=offer.digest,
            size_bytes=offer.size_bytes,
            sop_instance_uid=offer.sop_instance_uid,
            **_judged(offer, here),
        )
        for offer in offers
    ]
    UploadedFile.objects.bulk_create(rows, ignore_conflicts=True)
    paths = [offer.path for offer in offers]
    upload.files.filter(path__in=paths, outcome=FileOutcome.REFUSED).update(
        outcome="", reason="", received_bytes=0, begun_at=None, taken_up_at=None
    )
    touch(upload.pk, at)
    found = {(row.path, row.digest): row for row in upload.files.filter(path__in=paths)}
    return [found[offer.path, offer.digest] for offer in offers]


def wholes_take(
    *,
    actor: Actor,
    upload_id: int,
    file_ids: Sequence[int],
    chunks: Iterator[bytes],
    at: datetime.datetime,
) -> list[UploadedFile]:
    """Take small DICOM files that come one behind the other, through ingest at once.

    Repeating a request whose answer was lost does no harm: what has its outcome is passed over. One
    that is not what was offered is refused, and may be offered again.

    Args:
        actor: whose upload it is.
        upload_id: from `upload_begin`.
        file_ids: from `files_offer`, in the order in which they come.
        chunks: their bytes.
        at: when.

    Raises:
        NotFoundError: no files of this person's upload.
        InvalidInputError: more files or bytes than come in one request.
        StorageError: the archive could not take them; send them again.
    """
    policy.require(actor, Permission.STUDY_STORE)
    files = files_access(actor, upload_id, file_ids)
    if len(files) > BATCH or sum(file.size_bytes for file in files) > PIECE_BYTES:
        message = "These are too many bytes for one request."
        raise InvalidInputError(message)
    stream = _Stream(chunks)
    staged: list[tuple[UploadedFile, Staged]] = []
    facts: dict[int, FileTaken] = {}
    try:
        for file in files:
            part = stream.part(file.size_bytes)
            if not file.outcome:
                found = stage(file, part)
                if isinstance(found, Staged):
                    staged.append((file, found))
                else:
                    facts[file.pk] = found
            part.finish()
    except BaseException:
        for _, one in staged:
            discard_staged(one)
        raise
    if staged:
        results = instances_record(actor=actor, batch=[s for _, s in staged], at=at, door=DOOR)
        for (file, _), result in zip(staged, results, strict=True):
            facts[file.pk] = taken(file.path, result)
    settle(upload_id, [(file, facts[file.pk]) for file in files if file.pk in facts], at)
    return files


def piece_take(
    *,
    actor: Actor,
    file_id: int,
    offset: int,
    length: int,
    chunks: Iterator[bytes],
    at: datetime.datetime,
) -> UploadedFile:
    """Take the next bytes of a ZIP or a long file, durable on return.

    With the last of them it is whole, and a worker takes it up. Repeating a request whose answer
    was lost does no harm.

    Args:
        actor: whose upload it is.
        file_id: from `files_offer`.
        offset: where in the file the bytes begin.
        length: how many come, at most `PIECE_BYTES`.
        chunks: the bytes.
        at: when.

    Raises:
        NotFoundError: no file of this person.
        PieceOutOfPlaceError: the file goes on from elsewhere.
        InvalidInputError: too many bytes, or fewer than were announced.
        StorageError: the archive could not take it; send it again.
    """
    policy.require(actor, Permission.STUDY_STORE)
    file = file_access(actor, file_id)
    if file.outcome or file.received_bytes == file.size_bytes:
        return file
    if offset != file.received_bytes:
        raise PieceOutOfPlaceError(received=file.received_bytes)
    if not 0 < length <= min(PIECE_BYTES, file.size_bytes - offset):
        message = "A piece has another length than it may have."
        raise InvalidInputError(message)
    return _add(file, write_piece(_exactly(length, chunks), most=length), offset, at)


def _already_here(actor: Actor, offers: Sequence[Offer]) -> dict[tuple[str, str], str]:
    """Return the studies of what the archive has, by SOP Instance UID and digest."""
    uids = [offer.sop_instance_uid for offer in offers if offer.sop_instance_uid]
    rows = Instance.objects.filter(
        sop_instance_uid__in=uids, series__study__in=studies_visible_to(actor)
    ).values_list("sop_instance_uid", "stored_object__digest", "series__study__study_instance_uid")
    return {(uid, digest): study for uid, digest, study in rows}


def _judged(offer: Offer, here: dict[tuple[str, str], str]) -> dict[str, str]:
    name = offer.path.rpartition("/")[2]
    if name.upper() == "DICOMDIR":
        return {"outcome": FileOutcome.LEFT, "reason": DICOMDIR}
    if not offer.digest or not offer.size_bytes:
        return {"outcome": FileOutcome.LEFT, "reason": NOT_DICOM}
    if offer.size_bytes > LARGEST_BYTES:
        return {"outcome": FileOutcome.LEFT, "reason": "It is larger than any object may be."}
    study = here.get((offer.sop_instance_uid, offer.digest))
    if study:
        return {"outcome": FileOutcome.ALREADY_HERE, "study_instance_uid": study}
    return {}


class _Stream:
    """Chunks of a request that holds files one behind the other."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._waiting = chunks, b""

    def part(self, length: int) -> "_Part":
        """Return the next file."""
        return _Part(self, length)

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        chunk = self._waiting or next(self._chunks, b"")
        self._waiting = chunk[size:]
        return chunk[:size]


class _Part:
    """One file of a stream."""

    def __init__(self, stream: _Stream, length: int) -> None:
        self._stream, self._left = stream, length

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the file's end."""
        data = self._stream.read(min(size, self._left)) if self._left else b""
        self._left -= len(data)
        return data

    def finish(self) -> None:
        """Go to the file's end."""
        while self.read(READ_BYTES):
            pass


def _exactly(length: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    came = 0
    for chunk in chunks:
        came += len(chunk)
        yield chunk
    if came != length:
        message = "Fewer bytes came than were announced."
        raise InvalidInputError(message)


def _add(
    file: UploadedFile, piece: UploadPiece, offset: int, at: datetime.datetime
) -> UploadedFile:
    """Save a piece; one that another request was quicker with is removed."""
    try:
        with transaction.atomic(durable=True):
            touch(file.upload_id, at)
            locked = UploadedFile.objects.select_for_update().get(pk=file.pk)
            if locked.received_bytes != offset or locked.outcome:
                raise PieceOutOfPlaceError(received=locked.received_bytes)
            piece.file, piece.offset = locked, offset
            piece.save()
            locked.received_bytes += piece.size_bytes
            locked.begun_at = locked.begun_at or at
            locked.save(update_fields=["received_bytes", "begun_at"])
            if locked.received_bytes == locked.size_bytes:
                publish(
                    name="studies.upload.arrived",
                    aggregate=f"upload:{locked.upload_id}",
                    payload={"file_id": locked.pk},
                )
    except PieceOutOfPlaceError:
        remove_bytes([piece])
        raise
    return locked
