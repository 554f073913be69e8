"""Uploads through the browser: what comes, piece by piece, until it goes through the one ingest.

The server alone knows what it has: a file is offered by its path, length and digest, and the answer
says from where to go on. Small files come whole, many in one request, and go straight to ingest;
ZIPs and long files are kept in pieces, and a worker takes them up when they are whole.
"""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Q, QuerySet

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.accounts.selectors import actor_for_user
from apps.archive.incoming import Staged, discard_staged
from apps.audit.steps import record
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import ConflictError, InvalidInputError, NotPermittedError
from apps.core.steps import publish
from apps.studies import audit_events
from apps.studies.domain import FileOutcome
from apps.studies.importing import NotDicomFileError, Readable, is_zip, stage_file, zip_entries
from apps.studies.models import Instance, Upload, UploadedFile, UploadPiece
from apps.studies.pieces import PiecedFile, remove_bytes, write_piece
from apps.studies.selectors import studies_visible_to
from apps.studies.services.instances import instances_record
from apps.studies.services.taking import BATCH, FileTaken, files_take, taken
from apps.studies.uploads import file_access, files_access, upload_access

PIECE_BYTES = 8 << 20
OFFERED_AT_ONCE = 200
MOST_FILES = 200_000
LARGEST_BYTES = 64 << 30
PIECES_LIVE = datetime.timedelta(hours=24)
KEPT = datetime.timedelta(days=30)
LEASE = datetime.timedelta(minutes=10)
DOOR = "page"
MAGIC_BYTES = 4
READ_BYTES = 1 << 20
NOT_DICOM = NotDicomFileError.message
DICOMDIR = "A DICOMDIR only lists the other files, and each of those is read itself."
DAMAGED = "It changed or was damaged on its way here. Nothing of it was kept; send it again."
UNFINISHED = "It had not come to its end when the upload was ended."


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
    _touch(upload.pk, at)
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
                found = _stage(file, part)
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
    _settle(upload_id, [(file, facts[file.pk]) for file in files if file.pk in facts], at)
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


def uploads_expire(*, actor: Actor, at: datetime.datetime) -> int:
    """Remove what nobody went on with for a day, and forget old uploads; return pieces removed."""
    with transaction.atomic(durable=True):
        pieces = _give_up(UploadedFile.objects.filter(_coming(), begun_at__lt=at - PIECES_LIVE))
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


def _stage(file: UploadedFile, source: Readable) -> Staged | FileTaken:
    """Stage a DICOM file; what is none, or another than was offered, is answered for."""
    try:
        staged = stage_file(source)
    except NotDicomFileError as error:
        return FileTaken(file.path, FileOutcome.LEFT, error.message)
    if staged.digest == file.digest:
        return staged
    discard_staged(staged)
    return FileTaken(file.path, FileOutcome.REFUSED, DAMAGED)


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
            locked = UploadedFile.objects.select_for_update().get(pk=file.pk)
            if locked.received_bytes != offset or locked.outcome:
                raise PieceOutOfPlaceError(received=locked.received_bytes)
            piece.file, piece.offset = locked, offset
            piece.save()
            locked.received_bytes += piece.size_bytes
            locked.begun_at = locked.begun_at or at
            locked.save(update_fields=["received_bytes", "begun_at"])
            _touch(locked.upload_id, at)
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
    _settle(file.upload_id, [(file, one)], clock.now())
    remove_bytes(pieces)
    return 1


def _take_pieces(file: UploadedFile, pieces: list[UploadPiece], actor: Actor) -> FileTaken:
    if not file.upload.user.is_active:
        return FileTaken(file.path, FileOutcome.REFUSED, "The account was closed meanwhile.")
    with PiecedFile.buffered(pieces) as source:
        head = source.read(MAGIC_BYTES)
        source.seek(0)
        if not is_zip(head):
            found = _stage(file, source)
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
            UploadedFile(upload=file.upload, parent=file, path=one.name[-1000:], **_facts(one))
            for one in batch
        ],
        ignore_conflicts=True,
    )
    UploadedFile.objects.filter(pk=file.pk).update(taken_up_at=clock.now())


def _facts(one: FileTaken) -> dict[str, str]:
    return {
        "outcome": one.outcome.value,
        "reason": one.words[:300],
        "study_instance_uid": one.study_instance_uid,
        "sop_instance_uid": one.sop_instance_uid[:64],
    }


@transaction.atomic(durable=True)
def _settle(
    upload_id: int, settled: Sequence[tuple[UploadedFile, FileTaken]], at: datetime.datetime
) -> None:
    for file, one in settled:
        facts = _facts(one)
        for name, value in facts.items():
            setattr(file, name, value)
        file.received_bytes = file.size_bytes
    files = [file for file, _ in settled]
    names = ["outcome", "reason", "study_instance_uid", "sop_instance_uid", "received_bytes"]
    UploadedFile.objects.bulk_update(files, names)
    UploadPiece.objects.filter(file__in=files).delete()
    _touch(upload_id, at)


def _give_up(files: QuerySet[UploadedFile]) -> list[UploadPiece]:
    """Give files up inside a transaction; the bytes of the pieces returned go after it."""
    rows = list(files.select_for_update())
    pieces = list(UploadPiece.objects.filter(file__in=rows))
    UploadPiece.objects.filter(file__in=rows).delete()
    UploadedFile.objects.filter(pk__in=[row.pk for row in rows]).update(
        outcome=FileOutcome.LEFT, reason=UNFINISHED, received_bytes=0
    )
    return pieces


def _touch(upload_id: int, at: datetime.datetime) -> None:
    Upload.objects.filter(pk=upload_id).update(last_at=at)
