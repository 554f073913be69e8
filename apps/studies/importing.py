"""Reading DICOM files from folders and ZIPs for the one ingest; what is no DICOM file is named."""

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from apps.archive.incoming import Staged, stage_part10
from apps.core.errors import DomainError

CHUNK_BYTES = 1 << 20
MOST_ENTRIES = 200_000
LARGEST_RATIO = 200
FREE_BYTES = 64 << 20


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
    if path.suffix.lower() == ".zip" and zipfile.is_zipfile(path):
        yield from _entries(path)
    else:
        yield str(path), lambda: path.open("rb")


def _entries(path: Path) -> Iterator[tuple[str, Opened]]:
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(entries) > MOST_ENTRIES:
            message = f"The ZIP has more than {MOST_ENTRIES:,} entries. It was left alone."
            raise NotDicomFileError(message)
        for entry in entries:
            if Path(entry.filename).name.upper() != "DICOMDIR":
                yield f"{path}:{entry.filename}", _opener(archive, entry)


def _opener(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Opened:
    def opened() -> IO[bytes]:
        largest = FREE_BYTES + entry.compress_size * LARGEST_RATIO
        if entry.file_size > largest:
            message = "It unpacks to far more than any image does. It was left alone."
            raise NotDicomFileError(message)
        return archive.open(entry)

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
