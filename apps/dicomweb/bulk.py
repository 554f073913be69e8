"""Metadata with bulk data: the parts of a STOW-RS body, kept aside until they can be joined.

Metadata is held in memory up to a bound; bulk data goes to one unnamed file, which is gone with the
request whatever becomes of it. The order of parts does not matter.

Source: PS3.18 8.6.1.2, 8.7.3, 10.5.
"""

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson
from django.conf import settings

from apps.archive.storage import StorageError, StorageFullError
from apps.core.errors import DomainError
from apps.dicomweb.accept import media_range
from apps.dicomweb.errors import MalformedError, TooLargeError
from apps.dicomweb.multipart import IncomingPart
from apps.dicomweb.native_xml import parse_models
from apps.dicomweb.store_answer import JSON, XML

METADATA_BYTES = 32 << 20
CHUNK_BYTES = 1 << 20
MOST_PARTS = 200_000
JPEG = "1.2.840.10008.1.2.4."
SYNTAX_OF = {  # PS3.18 Table 8.7.3-5: what a media type means without a parameter
    "image/jpeg": f"{JPEG}70",
    "image/dicom-rle": "1.2.840.10008.1.2.5",
    "image/jls": f"{JPEG}80",
    "image/jp2": f"{JPEG}90",
    "image/jpx": f"{JPEG}92",
    "image/jphc": f"{JPEG}201",
    "image/jxl": f"{JPEG}112",
    "video/mpeg": f"{JPEG}100",
    "video/mp4": f"{JPEG}102",
}
JPEG_PROCESS = {0xC0: f"{JPEG}50", 0xC1: f"{JPEG}51", 0xC3: f"{JPEG}70"}


class UnusedPartError(DomainError):
    """A part that no metadata names."""

    code = "dicomweb.unused-part"
    message = "A part of the request is named by no BulkDataURI. It was not kept."


@dataclass(frozen=True, slots=True)
class BulkPart:
    """One part of bulk data, in the spool.

    Attributes:
        transfer_syntax_uid: as the part says, or its media type means; the media type itself where
            it is a picture or video that no transfer syntax holds.
    """

    spool: BinaryIO
    offset: int
    length: int
    transfer_syntax_uid: str

    def chunks(self) -> Iterator[bytes]:
        """Yield the value."""
        left = self.length
        self.spool.seek(self.offset)
        while left:
            chunk = self.spool.read(min(CHUNK_BYTES, left))
            if not chunk:
                message = "The spool is shorter than what was written to it."
                raise StorageError(message)
            left -= len(chunk)
            yield chunk


class Spool:
    """Takes the parts of a request, then gives instances and the bulk data they name."""

    def __init__(self, media_type: str) -> None:
        settings.ARCHIVE_SPOOL.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file: BinaryIO = tempfile.TemporaryFile(dir=settings.ARCHIVE_SPOOL)  # noqa: SIM115
        self._media_type = media_type
        self._metadata: list[bytes] = []
        self._metadata_bytes = 0
        self._parts: dict[str, list[BulkPart]] = {}
        self._count = 0
        self._used: set[str] = set()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def take(self, part: IncomingPart) -> None:
        """Keep a part.

        Raises:
            MalformedError: bulk data without Content-Location.
            TooLargeError: more metadata or parts than are taken at once.
            StorageError: no room.
        """
        kind = media_range(part.headers.get("content-type", ""))
        name = kind.name if kind else ""
        if name == self._media_type or (name == "application/json" and self._media_type == JSON):
            self._take_metadata(part)
            return
        location = part.headers.get("content-location", "").strip()
        if not location:
            message = "A part of bulk data has no Content-Location."
            raise MalformedError(message)
        self._count += 1
        if self._count > MOST_PARTS:
            message = f"The request has more than {MOST_PARTS:,} parts."
            raise TooLargeError(message)
        self._parts.setdefault(location, []).append(
            self._take_bulk(part, name, kind.transfer_syntax if kind else "")
        )

    def instances(self) -> Iterator[Any]:
        """Yield each instance's metadata, which may be anything that JSON can say.

        Raises:
            MalformedError: the metadata cannot be parsed.
        """
        for body in self._metadata:
            yield from parse_models(body) if self._media_type == XML else _parse_json(body)

    def named(self, uri: str) -> Sequence[BulkPart]:
        """Return the parts under an address: itself, or its frames in order."""
        self._used.add(uri)
        if uri in self._parts:
            return self._parts[uri]
        frames: list[BulkPart] = []
        while found := self._parts.get(f"{uri}/frames/{len(frames) + 1}"):
            self._used.add(f"{uri}/frames/{len(frames) + 1}")
            frames += found[:1]
        return frames

    def unused(self) -> int:
        """Return how many parts nothing named."""
        return sum(len(p) for location, p in self._parts.items() if location not in self._used)

    def _take_metadata(self, part: IncomingPart) -> None:
        body = bytearray()
        for chunk in part.chunks():
            self._metadata_bytes += len(chunk)
            if self._metadata_bytes > METADATA_BYTES:
                message = (
                    f"The request has more than {METADATA_BYTES >> 20} MiB of metadata. "
                    "Send fewer instances at once."
                )
                raise TooLargeError(message)
            body += chunk
        self._metadata.append(bytes(body))

    def _take_bulk(self, part: IncomingPart, media_type: str, syntax: str) -> BulkPart:
        head, length = b"", 0
        try:
            offset = self._file.seek(0, os.SEEK_END)
            for chunk in part.chunks():
                self._file.write(chunk)
                length += len(chunk)
                head = head or bytes(chunk)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise (StorageFullError if full else StorageError)(reason=str(error)) from error
        return BulkPart(self._file, offset, length, syntax or _meant(media_type, head))


def _meant(media_type: str, head: bytes) -> str:
    """Return the transfer syntax that a media type without parameter means."""
    if media_type == "image/jpeg":
        return JPEG_PROCESS.get(_jpeg_process(head), SYNTAX_OF[media_type])
    picture = media_type.startswith(("image/", "video/"))
    return SYNTAX_OF.get(media_type, media_type if picture else "")


def _jpeg_process(head: bytes) -> int:
    """Return the start-of-frame marker of a JPEG stream; 0 where it is not found (T.81 B.1.1)."""
    position = 2
    while position + 4 <= len(head) and head[position] == 0xFF:
        marker = head[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return marker
        position += 2 + int.from_bytes(head[position + 2 : position + 4], "big")
    return 0


def _parse_json(body: bytes) -> Iterable[Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"The metadata is no JSON: {error}."
        raise MalformedError(message) from error
    return found if isinstance(found, list) else [found]
