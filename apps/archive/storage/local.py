"""Files on this machine, or on a file system it shares."""

import contextlib
import ctypes
import datetime
import errno
import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from apps.archive.storage.base import (
    CHUNK_BYTES,
    IncomingFile,
    Storage,
    StorageError,
    StorageFullError,
    StorageMissingError,
    StorageTruncatedError,
)
from apps.core import clock

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
WRITE_BACK_BYTES = 128 * 1024
FILES_TOGETHER = 64
WRITE = 2  # SYNC_FILE_RANGE_WRITE of sync_file_range(2), which only Linux has
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


def _failure(error: OSError) -> StorageError:
    if error.errno in NO_ROOM:
        return StorageFullError(reason=str(error))
    if error.errno == errno.ENOENT:
        return StorageMissingError(reason=str(error))
    return StorageError(reason=str(error))


class LocalFile(IncomingFile):
    """A new file, opened under its final name: no row names it before it is durable."""

    def __init__(self, path: str, key: str) -> None:
        self.key = key
        self._path = path
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._size = self._begun = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes."""
        view = memoryview(data)
        try:
            while view:
                count = os.write(self._fd, view)
                self._size += count
                view = view[count:]
        except OSError as error:
            raise _failure(error) from error
        if self._size - self._begun >= WRITE_BACK_BYTES:
            self._begin_write_back()

    def _begin_write_back(self) -> None:
        """Have the disk begin with what was written, so that `sync` finds most of it done.

        A hint: where it fails, `sync` does it all, and tells of faults.
        """
        if _sync_file_range is not None:
            _sync_file_range(self._fd, self._begun, self._size - self._begun, WRITE)
        self._begun = self._size

    def sync(self) -> None:
        """Make everything written durable, and close."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise _failure(error) from error
        finally:
            self._close()

    def reread(self, length: int) -> Iterator[bytes]:
        """Yield the first `length` bytes written."""
        return _range_of(Path(self._path), 0, length)

    def discard(self) -> None:
        """Close and remove."""
        self._close()
        with contextlib.suppress(FileNotFoundError):
            Path(self._path).unlink()

    def _close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


class LocalStorage(Storage):
    """A folder. Keys are `YYYY/MM/DD/xx/<uuid>.dcm`: 256 folders a day keep each one short.

    What comes together goes to one folder, whose fsync then makes many names durable.
    """

    def __init__(self, name: str, root: Path, reserve_bytes: int = 0) -> None:
        self.name = name
        self.root = root
        self.reserve_bytes = reserve_bytes
        self._durable: set[str] = set()
        self._begun = 0
        self._folder = ""

    def free_bytes(self) -> int | None:
        """Return what an unprivileged user may still write to the file system."""
        place = self.root
        while True:
            try:
                state = os.statvfs(place)
            except FileNotFoundError:
                place = place.parent  # nothing was ever stored here
            except OSError as error:
                raise _failure(error) from error
            else:
                return state.f_bavail * state.f_frsize

    def is_there(self) -> bool:
        """Tell whether the folder is there with something in it: an empty one is not mounted."""
        try:
            with os.scandir(self.root) as entries:
                return next(entries, None) is not None
        except OSError:
            return False

    def create(self) -> IncomingFile:
        """Begin a new file."""
        identity = uuid.uuid4().hex
        if self._begun % FILES_TOGETHER == 0:
            self._folder = identity[:2]
        self._begun += 1
        folder = f"{clock.now():%Y/%m/%d}/{self._folder}"
        place = f"{self.root}/{folder}"
        try:
            if place not in self._durable:
                self._make_folder(self.root / folder)
            return LocalFile(f"{place}/{identity}.dcm", f"{folder}/{identity}.dcm")
        except OSError as error:
            self._durable.clear()  # somebody may have removed them
            raise _failure(error) from error

    def publish(self, keys: Iterable[str]) -> None:
        """Fsync each folder that holds one of the files, once."""
        try:
            for folder in {key.rpartition("/")[0] for key in keys}:
                _sync_folder(f"{self.root}/{folder}")
        except OSError as error:
            raise _failure(error) from error

    def open(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield a range of a file in chunks."""
        return _range_of(self.root / key, offset, length)

    def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return a range of a file."""
        try:
            fd = os.open(self.root / key, os.O_RDONLY | os.O_CLOEXEC)
            try:
                size = length if length is not None else os.fstat(fd).st_size - offset
                parts, got = [], 0
                while got < size:
                    part = os.pread(fd, size - got, offset + got)
                    if not part:
                        raise StorageTruncatedError(key=key)
                    parts.append(part)
                    got += len(part)
            finally:
                os.close(fd)
        except OSError as error:
            raise _failure(error) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def remove(self, key: str) -> None:
        """Remove a file."""
        with contextlib.suppress(FileNotFoundError):
            (self.root / key).unlink()

    def keys_of(self, day: datetime.date) -> Iterator[str]:
        """Yield the keys of the day's folders."""
        for path in sorted((self.root / f"{day:%Y/%m/%d}").glob("*/*.dcm")):
            yield str(path.relative_to(self.root))

    def probe(self) -> None:
        """Write and remove a file."""
        probe = self.create()
        try:
            probe.write(b"probe")
            probe.sync()
        finally:
            probe.discard()

    def size_of(self, key: str) -> int | None:
        """Return the file's length in bytes."""
        try:
            return (self.root / key).stat().st_size
        except OSError as error:
            raise _failure(error) from error

    def local_path(self, key: str) -> str | None:
        """Return the path of the file."""
        return str(self.root / key)

    def _make_folder(self, path: Path) -> None:
        """Make a folder and its parents up to the root, each durable in the one above it.

        One that is there may be another process's of a moment ago, and not durable yet; the root
        is not asked for that, since what is above it may be closed to us.
        """
        if str(path) in self._durable or (path == self.root and path.is_dir()):
            return
        if path != self.root:
            self._make_folder(path.parent)
        path.mkdir(mode=0o750, exist_ok=True, parents=path == self.root)
        _sync_folder(str(path.parent))
        self._durable.add(str(path))


def _range_of(path: Path, offset: int, length: int | None) -> Iterator[bytes]:
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            left = length
            while left is None or left > 0:
                chunk = file.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left))
                if not chunk:
                    break
                left = None if left is None else left - len(chunk)
                yield chunk
    except OSError as error:
        raise _failure(error) from error
    if left:
        raise StorageTruncatedError(key=path.name)


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
