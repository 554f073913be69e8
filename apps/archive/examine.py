"""Reading a stored copy whole and judging it against what was recorded of it."""

import enum
import errno
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from apps.archive.models import Location
from apps.archive.part10 import read_file_meta
from apps.archive.storage import (
    StorageError,
    StorageMissingError,
    StorageTruncatedError,
    storage_named,
)

HEAD_BYTES = 64 * 1024
LONGEST_SLEEP_S = 1.0


class StorageDownError(StorageError):
    """The storage does not answer, or is not mounted: nothing can be said of its copies."""

    message = "A storage of the archive does not answer."


class Finding(enum.StrEnum):
    """What was found of a copy."""

    GOOD = "good"
    MISSING = "missing"
    TRUNCATED = "truncated"
    ALTERED = "altered"
    UNREADABLE = "unreadable"


@dataclass(slots=True)
class Pace:
    """Holds reading back to a rate, so that a verification takes nothing from the readers.

    Attributes:
        bytes_per_second: 0 for as fast as it goes.
    """

    bytes_per_second: float = 0
    _due: float | None = None

    def spend(self, size: int) -> None:
        """Wait until so many more bytes are due."""
        if self.bytes_per_second:
            now = time.monotonic()
            begun = now if self._due is None else max(self._due, now - LONGEST_SLEEP_S)
            self._due = begun + size / self.bytes_per_second
            if self._due > now:
                time.sleep(self._due - now)


class Examination:
    """One reading of a copy: yields its bytes, and afterwards says what was found.

    Attributes:
        finding: set once the iteration has ended.
        bytes_read: so far.
    """

    def __init__(self, location: Location, pace: Pace) -> None:
        self._location = location
        self._pace = pace
        self.finding: Finding | None = None
        self.bytes_read = 0

    def __iter__(self) -> Iterator[bytes]:
        """Yield the file in chunks.

        Raises:
            StorageDownError: the storage does not answer.
        """
        location, stored = self._location, self._location.stored_object
        storage = storage_named(location.storage)
        digest, skip, head = hashlib.sha256(), stored.dataset_offset, b""
        try:
            for chunk in storage.open(location.key):
                self._pace.spend(len(chunk))
                if len(head) < HEAD_BYTES:
                    head += chunk[:HEAD_BYTES]
                digest.update(memoryview(chunk)[skip:])
                skip = max(skip - len(chunk), 0)
                self.bytes_read += len(chunk)
                yield chunk
        except StorageError as error:
            self.finding = finding_of(error)
            if self.finding is None or not storage.is_there():
                raise StorageDownError(storage=storage.name, reason=error.message) from error
            return
        if self.bytes_read < stored.size_bytes:
            self.finding = Finding.TRUNCATED
        elif (
            self.bytes_read == stored.size_bytes
            and digest.hexdigest() == stored.digest
            and _header_is(head, stored.dataset_offset, stored.transfer_syntax_uid)
        ):
            self.finding = Finding.GOOD
        else:
            self.finding = Finding.ALTERED


def examine(location: Location, pace: Pace) -> Examination:
    """Read a copy whole.

    Raises:
        StorageDownError: the storage does not answer.
    """
    examination = Examination(location, pace)
    for _ in examination:
        pass
    return examination


def finding_of(error: StorageError) -> Finding | None:
    """Return what a fault says of the copy itself; None where it may be the storage's alone."""
    if isinstance(error, StorageMissingError):
        return Finding.MISSING
    if isinstance(error, StorageTruncatedError):
        return Finding.TRUNCATED
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno == errno.EIO:
        return Finding.UNREADABLE
    return None


def _header_is(head: bytes, dataset_offset: int, transfer_syntax_uid: str) -> bool:
    """Tell whether the file still says what its data set is, and where that begins."""
    meta = read_file_meta(head)
    return meta is not None and (meta.dataset_offset, meta.transfer_syntax_uid) == (
        dataset_offset,
        transfer_syntax_uid,
    )
