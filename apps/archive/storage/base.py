"""The interface that every storage keeps."""

import datetime
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from apps.core.errors import DomainError

CHUNK_BYTES = 1 << 20
FULL_PAUSE_S = 30.0
DOWN_PAUSE_S = 30.0


class StorageError(DomainError):
    """The storage could not take or give bytes; trying again may help."""

    code = "archive.storage-failed"
    message = "The archive's storage did not answer. Nothing was kept; send it again later."


class StorageFullError(StorageError):
    """No room left."""

    code = "archive.storage-full"
    message = "The archive's storage is full. Nothing was kept; tell an administrator."


class StorageMissingError(StorageError):
    """The storage answers, and has no such file."""

    message = "A file of the archive is not where its record says."


class StorageTruncatedError(StorageError):
    """The storage answers, and its file ends before the range that was asked for does."""

    message = "A file of the archive is shorter than its record says."


class IncomingFile(ABC):
    """A file being received, under a key of its own, that no row names yet.

    Written from front to end; `sync` makes its content durable; the folder's durability comes
    from `Storage.publish`, once for many files. What is not published is swept away later.
    """

    key: str
    far: bool = False
    """Whether `sync` waits for a network."""

    @abstractmethod
    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes."""

    @abstractmethod
    def sync(self) -> None:
        """Make everything written durable, and close."""

    @abstractmethod
    def reread(self, length: int) -> Iterator[bytes]:
        """Yield the first `length` bytes written, to carry them elsewhere; before `discard`."""

    @abstractmethod
    def discard(self) -> None:
        """Close and remove; safe to call at any time, more than once."""


class Storage(ABC):
    """A place that keeps files by key."""

    name: str
    reserve_bytes: int = 0
    _full_until: float = 0.0
    _down_until: float = 0.0

    def has_room(self) -> bool:
        """Tell whether new objects may go here: more than the reserve is free."""
        free = self.free_bytes()
        return free is None or free > self.reserve_bytes

    def note_full(self) -> None:
        """Remember that a write found no room."""
        self._full_until = time.monotonic() + FULL_PAUSE_S

    @property
    def recently_full(self) -> bool:
        """Whether a write found no room within the last half minute."""
        return time.monotonic() < self._full_until

    def note_down(self) -> None:
        """Remember that a read found the storage not answering."""
        self._down_until = time.monotonic() + DOWN_PAUSE_S

    @property
    def recently_down(self) -> bool:
        """Whether a read found it not answering within the last half minute."""
        return time.monotonic() < self._down_until

    def free_bytes(self) -> int | None:
        """Return what may still be written; None where the storage does not tell."""
        return None

    @abstractmethod
    def is_there(self) -> bool:
        """Tell a storage that answers from one that is down or not mounted.

        Only where it answers does a missing file mean that the file is missing.
        """

    @abstractmethod
    def create(self) -> IncomingFile:
        """Begin a new file."""

    @abstractmethod
    def publish(self, keys: Iterable[str]) -> None:
        """Make the names of synced files durable."""

    @abstractmethod
    def open(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield a range of a file in chunks.

        Raises:
            StorageMissingError: there is no such file.
            StorageTruncatedError: it is shorter than asked; what there is of it came before.
            StorageError: it cannot be read now.
        """

    @abstractmethod
    def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return a range of a file; for small ranges."""

    @abstractmethod
    def remove(self, key: str) -> None:
        """Remove a file that no row names."""

    @abstractmethod
    def keys_of(self, day: datetime.date) -> Iterator[str]:
        """Yield the keys of all files that were begun on a day (UTC)."""

    @abstractmethod
    def probe(self) -> None:
        """Raise StorageError unless a file can be written and read back now."""

    def size_of(self, key: str) -> int | None:
        """Return a file's length in bytes; None where asking would cost a round trip.

        Raises:
            StorageMissingError: there is no such file.
            StorageError: it cannot be told now.
        """
        del key
        return None

    def local_path(self, key: str) -> str | None:
        """Return the path of the file where it is a local one, for readers that can use it."""
        del key
        return None
