"""Reading DICOM files from folders and ZIPs for the one ingest; what is no DICOM file is named."""

import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from apps.archive.incoming import Staged, stage_part10
from apps.core.errors import DomainError

CHUNK_BYTES = 1 << 20
MOST_ENTRIES = 100_000
DIRECTORY_BYTES = 32 << 20
LARGEST_RATIO = 200
FREE_BYTES = 64 << 20
END_BYTES, MOST_COMMENT_BYTES = 22, 0xFFFF
BOMB = "It unpacks to far more than any image does. It was left alone."
UNREADABLE_ZIP = "The ZIP cannot be read. It was left alone."


class NotDicomFileError(DomainError):
    """The file is not DICOM, or cannot be read."""

    code = "studies.not-a-dicom-file"
    message = "This is no DICOM file. It was left alone."


class Readable(Protocol):
    """An open file."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        ...


Opened = Callable[[], IO[bytes]]


def files_at(path: Path) -> Iterator[tuple[str, Opened]]:
    """Yield name and opener of each file under a path, in the order of names; ZIPs are looked into.

    DICOMDIRs are left out: every object is read itself. Links to folders are not followed.
    """
    if path.is_dir():
        for folder, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                yield from _file(Path(folder) / name)
    else:
        yield from _file(path)


def _file(path: Path) -> Iterator[tuple[str, Opened]]:
    if path.name.upper() == "DICOMDIR":
        return
    if path.suffix.lower() == ".zip":
        with path.open("rb") as file:
            yield from zip_entries(file, str(path))
    else:
        yield str(path), lambda: path.open("rb")


def is_zip(head: bytes) -> bool:
    """Tell whether a file that begins so is a ZIP (an empty one begins with its end)."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def zip_entries(file: IO[bytes], name: str) -> Iterator[tuple[str, Opened]]:
    """Yield name and opener of each file in a ZIP; nothing is ever written under an entry's name.

    Memory is bounded: by the directory's length before it is read, and by a chunk after. A ZIP that
    cannot be read, has too many entries or would unpack to more than images do is yielded as one
    file, which does not open.
    """
    try:
        yield from _entries(file, name)
    except NotDicomFileError as error:
        yield name, partial(_refuse, error)


def _refuse(error: NotDicomFileError) -> IO[bytes]:
    raise error


def _entries(file: IO[bytes], name: str) -> Iterator[tuple[str, Opened]]:
    _check_directory(file)
    try:
        archive = zipfile.ZipFile(file)
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise NotDicomFileError(UNREADABLE_ZIP) from error
    with archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        packed = sum(entry.compress_size for entry in entries)
        if packed > file.seek(0, os.SEEK_END):
            message = "The entries of the ZIP overlap each other. It was left alone."
            raise NotDicomFileError(message)
        if sum(entry.file_size for entry in entries) > FREE_BYTES + packed * LARGEST_RATIO:
            raise NotDicomFileError(BOMB)
        for entry in entries:
            if Path(entry.filename).name.upper() != "DICOMDIR":
                yield f"{name}:{entry.filename}", _opener(archive, entry)


def _check_directory(file: IO[bytes]) -> None:
    """Refuse a ZIP whose directory is longer than memory is given for (APPNOTE 4.3.14, 4.3.16)."""
    size = file.seek(0, os.SEEK_END)
    tail_at = max(size - MOST_COMMENT_BYTES - END_BYTES, 0)
    file.seek(tail_at)
    tail = file.read(size - tail_at)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + END_BYTES > len(tail):
        raise NotDicomFileError(UNREADABLE_ZIP)
    count, length = struct.unpack_from("<HI", tail, at + 10)
    if count == 0xFFFF or length == 0xFFFFFFFF:
        large = tail.rfind(b"PK\x06\x06")
        if large < 0 or large + 56 > len(tail):
            raise NotDicomFileError(UNREADABLE_ZIP)
        count, length = struct.unpack_from("<QQ", tail, large + 32)
    if count > MOST_ENTRIES or length > DIRECTORY_BYTES:
        message = f"The ZIP has more than {MOST_ENTRIES:,} entries. It was left alone."
        raise NotDicomFileError(message)


def _opener(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Opened:
    def opened() -> IO[bytes]:
        parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
        if ".." in parts or entry.filename[:1] in ("/", "\\") or ":" in entry.filename[:2]:
            message = "Its name points outside the ZIP. It was left alone."
            raise NotDicomFileError(message)
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            message = "It is packed in a way that is not read here. It was left alone."
            raise NotDicomFileError(message)
        if entry.file_size > FREE_BYTES + entry.compress_size * LARGEST_RATIO:
            raise NotDicomFileError(BOMB)
        try:
            return archive.open(entry)
        except (RuntimeError, zipfile.BadZipFile) as error:  # encrypted; damaged
            message = f"It cannot be read: {error}"
            raise NotDicomFileError(message) from error

    return opened


def stage_file(file: Readable) -> Staged:
    """Stream a Part 10 file to the archive, with memory for one chunk.

    Raises:
        NotDicomFileError: no Part 10 file, or it cannot be read to its end.
        StorageError: the archive could not take it.
    """
    try:
        staged = stage_part10(iter(partial(file.read, CHUNK_BYTES), b""))
        if staged is None:
            raise NotDicomFileError
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        message = f"It cannot be read: {error}"
        raise NotDicomFileError(message) from error
    return staged
