"""multipart/related, out and in, as streams (RFC 2387; PS3.18 8.6)."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from django.http import HttpResponse, StreamingHttpResponse

from apps.dicomweb.errors import MalformedError

READ_BYTES = 256 * 1024
MAX_HEADER_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """One part to send."""

    content_type: str
    location: str
    chunks: Iterable[bytes]


def respond(parts: Iterable[Part], media_type: str) -> StreamingHttpResponse:
    """Stream parts; nothing is held in memory but the chunk in hand."""
    boundary = uuid.uuid4().hex
    return stream(_stream(parts, boundary), _type(media_type, boundary))


def stream(chunks: Iterator[bytes], content_type: str) -> StreamingHttpResponse:
    """Stream a body; what fails before its first chunk is an error, not a body cut short."""
    first = next(chunks, b"")
    return StreamingHttpResponse(chain((first,), chunks), content_type=content_type)


def respond_whole(parts: Iterable[Part], media_type: str) -> HttpResponse:
    """Send parts that are in memory already, with their length."""
    boundary = uuid.uuid4().hex
    return HttpResponse(
        b"".join(_stream(parts, boundary)), content_type=_type(media_type, boundary)
    )


def _type(media_type: str, boundary: str) -> str:
    return f'multipart/related; type="{media_type}"; boundary={boundary}'


def _stream(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    opening = f"--{boundary}\r\n"
    for part in parts:
        head = f"{opening}Content-Type: {part.content_type}\r\n"
        if part.location:
            head += f"Content-Location: {part.location}\r\n"
        chunks = iter(part.chunks)
        first = next(chunks, b"")  # what fails before it must not have begun a part
        yield f"{head}\r\n".encode()
        yield first
        del first
        yield from chunks
        opening = f"\r\n--{boundary}\r\n"
    yield f"\r\n--{boundary}--\r\n".encode()


class Readable(Protocol):
    """A request body."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        ...


@dataclass
class IncomingPart:
    """One part being received: headers, then its body in chunks, to be read to its end."""

    headers: dict[str, str]
    reader: "MultipartReader" = field(repr=False)

    def chunks(self) -> Iterator[bytes]:
        """Yield the body."""
        return self.reader.body()


class MultipartReader:
    """Reads a multipart body part by part, with memory for two reads and a boundary."""

    def __init__(self, source: Readable, boundary: str) -> None:
        self._source = source
        self._mark = b"\r\n--" + boundary.encode("latin-1")
        self._buffer = b"\r\n"  # so that the first boundary looks like the others
        self._ended = False

    def parts(self) -> Iterator[IncomingPart]:
        """Yield the parts.

        Raises:
            MalformedError: the body is no multipart body, or ends early.
        """
        for _ in self.body():
            pass  # the preamble
        while not self._ended:
            yield IncomingPart(self._headers(), self)

    def body(self) -> Iterator[bytes]:
        """Yield bytes up to the next boundary, and go behind it."""
        keep = len(self._mark) + 2
        while True:
            at = self._buffer.find(self._mark)
            if at >= 0:
                if at:
                    yield self._buffer[:at]
                self._buffer = self._buffer[at + len(self._mark) :]
                self._pass_line()
                return
            if len(self._buffer) > keep:
                yield self._buffer[:-keep]
                self._buffer = self._buffer[-keep:]
            self._more()

    def _pass_line(self) -> None:
        """Go behind the rest of the boundary's line; `--` ends the body."""
        while len(self._buffer) < 2:
            self._more()
        if self._buffer.startswith(b"--"):
            self._ended = True
            return
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > MAX_HEADER_BYTES:
                message = "A boundary line does not end."
                raise MalformedError(message)
            self._more()
        self._buffer = self._buffer[end + 2 :]

    def _headers(self) -> dict[str, str]:
        while (end := (b"\r\n" + self._buffer).find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > MAX_HEADER_BYTES:
                message = "The headers of a part do not end."
                raise MalformedError(message)
            self._more()
        lines = self._buffer[: max(end - 2, 0)].decode("latin-1").split("\r\n")
        self._buffer = self._buffer[end + 2 :]
        pairs = (line.partition(":") for line in lines if ":" in line)
        return {name.strip().lower(): value.strip() for name, _, value in pairs}

    def _more(self) -> None:
        data = self._source.read(READ_BYTES)
        if not data:
            message = "The body ends before its closing boundary."
            raise MalformedError(message)
        self._buffer += data
