"""Pieces of an uploaded file on the archive's storage, and the file they make."""

import io
from collections.abc import Iterable, Sequence
from typing import Self

from apps.archive.storage import storage_named, write_storage
from apps.core.errors import InvalidInputError
from apps.studies.models import UploadPiece

READ_BYTES = 1 << 20


def write_piece(chunks: Iterable[bytes], *, most: int) -> UploadPiece:
    """Write a piece and return it, durable and not yet saved.

    Raises:
        InvalidInputError: it is empty, or longer than `most` bytes.
        StorageError: no room, or a fault; nothing is left.
    """
    storage = write_storage()
    file, size = storage.create(), 0
    try:
        for chunk in chunks:
            size += len(chunk)
            if size > most:
                message = "More came than the file is long."
                raise InvalidInputError(message)
            file.write(chunk)
        if not size:
            message = "The piece is empty."
            raise InvalidInputError(message)
        file.sync()
        storage.publish([file.key])
    except BaseException:
        file.discard()
        raise
    return UploadPiece(size_bytes=size, storage=storage.name, key=file.key)


def remove_bytes(pieces: Iterable[UploadPiece]) -> None:
    """Remove the bytes of pieces; their rows are the caller's."""
    for piece in pieces:
        storage_named(piece.storage).remove(piece.key)


class PiecedFile(io.RawIOBase):
    """A file in pieces, to be read from anywhere; memory holds what is asked for."""

    def __init__(self, pieces: Sequence[UploadPiece]) -> None:
        super().__init__()
        self._pieces = pieces
        self._at = 0
        self._size = sum(piece.size_bytes for piece in pieces)

    @classmethod
    def buffered(cls, pieces: Sequence[UploadPiece]) -> io.BufferedReader:
        """Return the file with a buffer, so that small reads cost no request."""
        return io.BufferedReader(cls(pieces), READ_BYTES)

    def __enter__(self) -> Self:
        return self

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to an offset."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        if self._at < 0:
            message = "negative offset"
            raise OSError(message)
        return self._at

    def tell(self) -> int:
        """Return the offset."""
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Read from the piece that holds the offset."""
        for piece in self._pieces:
            within = self._at - piece.offset
            if 0 <= within < piece.size_bytes:
                length = min(len(buffer), piece.size_bytes - within)
                data = storage_named(piece.storage).read(piece.key, within, length)
                buffer[: len(data)] = data
                self._at += len(data)
                return len(data)
        return 0
