"""Reading a stored object back, from whichever of its copies can give it.

A copy that turns out missing, cut off or unreadable is noted as damaged, for the verification to
mend, and the next one is read from where the first ended: the reader does not notice. A storage
that does not answer says nothing of its copies; for half a minute they are tried last.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from apps.archive.examine import Finding, finding_of
from apps.archive.models import Location
from apps.archive.services.copying import damage_note
from apps.archive.storage import Storage, StorageError, storage_named
from apps.core.actors import system_actor

log = structlog.get_logger(__name__)

READER = system_actor("reader")
BUFFER_BYTES = 64 * 1024
AT_ONCE_BYTES = 4 << 20


class NoCopyError(StorageError):
    """Every copy is damaged or gone."""

    code = "archive.no-copy"
    message = (
        "No good copy of this object is left in the archive. Its administrators are told;"
        " who still has it may send it again."
    )


@dataclass(frozen=True, slots=True)
class Copy:
    """Where one copy of an object lies."""

    storage: str
    key: str


def read(copies: Sequence[Copy], offset: int, length: int) -> bytes:
    """Return a small range of a file.

    Raises:
        NoCopyError: no copy is left.
        StorageError: none can be read now.
    """
    reading = _Reading(copies)
    for copy, storage in reading:
        try:
            return storage.read(copy.key, offset, length)
        except StorageError as error:
            reading.failed(copy, storage, error)
    raise reading.failure


def stream(copies: Sequence[Copy], offset: int, length: int) -> Iterator[bytes]:
    """Yield a range of a file in chunks.

    Raises:
        NoCopyError: no copy is left.
        StorageError: none can be read now.
    """
    reading = _Reading(copies)
    for copy, storage in reading:
        try:
            for chunk in storage.open(copy.key, offset, length):
                offset += len(chunk)
                length -= len(chunk)
                yield chunk
        except StorageError as error:
            reading.failed(copy, storage, error)
        else:
            return
    raise reading.failure


def stream_checked(
    copies: Sequence[Copy], offset: int, length: int, digest: str
) -> Iterator[bytes]:
    """Yield a whole data set; where there is another copy, only what is as it was received.

    With a choice of copies the digest is compared before anything goes out; of what is too large
    for that, before its last chunk does, so that nobody takes it for whole. A single copy is given
    as it is: the verification finds what changed in it.

    Raises:
        NoCopyError: no good copy is left.
        StorageError: none can be read now, or what went out so far is not what was received.
    """
    if len(copies) < 2:
        yield from stream(copies, offset, length)
    elif length <= AT_ONCE_BYTES:
        yield _good(copies, offset, length, digest)
    else:
        yield from _hashed(copies, offset, length, digest)


def sound(copies: Sequence[Copy], size_bytes: int) -> list[Copy]:
    """Return the copies without those that their length alone shows to be damaged, if it is cheap.

    What is found damaged is noted.
    """
    reading = _Reading(copies)
    kept = []
    for copy, storage in reading:
        try:
            size = storage.size_of(copy.key)
        except StorageError as error:
            reading.failed(copy, storage, error)
            continue
        if size is None or size >= size_bytes:
            kept.append(copy)
        else:
            _note(copy, storage, Finding.TRUNCATED)
    return kept


def open_stored(copies: Sequence[Copy], size_bytes: int) -> BinaryIO:
    """Return a file to read and seek in; only what is read is fetched."""
    return cast("BinaryIO", io.BufferedReader(_StoredFile(copies, size_bytes), BUFFER_BYTES))


class _StoredFile(io.RawIOBase):
    def __init__(self, copies: Sequence[Copy], size: int) -> None:
        self._copies, self._size, self._at = copies, size, 0
        self.name = copies[0].key if copies else ""  # pydicom asks for it

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        length = min(len(buffer), self._size - self._at)
        if length <= 0:
            return 0
        buffer[:length] = read(self._copies, self._at, length)
        self._at += length
        return length


class _Reading:
    """The copies to try, in order, and what came of those that failed."""

    def __init__(self, copies: Sequence[Copy]) -> None:
        self._copies = copies
        self._down: StorageError | None = None

    def __iter__(self) -> Iterator[tuple[Copy, Storage]]:
        named = []
        for copy in self._copies:
            try:
                named.append((copy, storage_named(copy.storage)))
            except ImproperlyConfigured as error:
                log.warning("archive.copy-without-storage", storage=copy.storage)
                self._down = StorageError(reason=str(error))
        return iter(sorted(named, key=lambda one: one[1].recently_down) if named[1:] else named)

    def failed(self, copy: Copy, storage: Storage, error: StorageError) -> None:
        """Take down that a copy could not be read."""
        finding = finding_of(error)
        if finding is not None and storage.is_there():
            _note(copy, storage, finding)
            return
        log.warning("archive.copy-not-read", storage=storage.name, error=error.message)
        storage.note_down()
        self._down = error

    @property
    def failure(self) -> StorageError:
        """What to raise where no copy could be read."""
        return self._down or NoCopyError()


def _good(copies: Sequence[Copy], offset: int, length: int, digest: str) -> bytes:
    reading = _Reading(copies)
    for copy, storage in reading:
        try:
            data = storage.read(copy.key, offset, length)
        except StorageError as error:
            reading.failed(copy, storage, error)
            continue
        if hashlib.sha256(data).hexdigest() == digest:
            return data
        _note(copy, storage, Finding.ALTERED)
    raise reading.failure


def _hashed(copies: Sequence[Copy], offset: int, length: int, digest: str) -> Iterator[bytes]:
    reading = _Reading(copies)
    came = hashlib.sha256()
    for source, (copy, storage) in enumerate(reading):
        try:
            for chunk in storage.open(copy.key, offset, length):
                came.update(chunk)
                offset += len(chunk)
                length -= len(chunk)
                if not length and came.hexdigest() != digest:
                    if source == 0:
                        _note(copy, storage, Finding.ALTERED)
                    message = "A copy in the archive is not what was received. Ask again."
                    raise StorageError(message, storage=storage.name)
                yield chunk
        except StorageError as error:
            if not length:
                raise
            reading.failed(copy, storage, error)
        else:
            return
    raise reading.failure


def _note(copy: Copy, storage: Storage, finding: Finding) -> None:
    """Note a copy as damaged; where that cannot be written now, the verification will find it."""
    log.error("archive.copy-not-good", storage=storage.name, file=copy.key, finding=str(finding))
    try:
        location = Location.objects.filter(storage=copy.storage, key=copy.key).first()
        if location is not None:
            damage_note(actor=READER, location=location, finding=finding)
    except DatabaseError:
        log.exception("archive.damage-not-noted", storage=storage.name, file=copy.key)
