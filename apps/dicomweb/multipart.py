"""multipart/related, out and in, as streams (RFC 2387; PS3.18 8.6)."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from django.http import HttpResponse, StreamingHttpResponse

from apps.dicomweb.errors import MalformedError

READ_BYTES = 1 << 20
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

    def chunks(self) -> Iterator[memoryview]:
        """Yield the body."""
        return self.reader.body()


class MultipartReader:
    """Reads a multipart body part by part, with memory for two reads and a boundary.

    It yields views of what was read; only where a boundary may have begun is a piece copied.
    """

    def __init__(self, source: Readable, boundary: str) -> None:
        self._source = source
        self._mark = b"\r\n--" + boundary.encode("latin-1")
        self._buffer = b"\r\n"  # so that the first boundary looks like the others
        self._start = 0  # of what nobody has been given
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

    def body(self) -> Iterator[memoryview]:
        """Yield bytes up to the next boundary, and go behind it."""
        while True:
            at = self._buffer.find(self._mark, self._start)
            end = at if at >= 0 else len(self._buffer) - self._begun()
            if end > self._start:
                yield memoryview(self._buffer)[self._start : end]
                self._start = end
            if at >= 0:
                self._start += len(self._mark)
                self._pass_line()
                return
            self._more()

    def _begun(self) -> int:
        """Return how many bytes at the buffer's end may be the beginning of a boundary."""
        mark = self._mark
        last = self._buffer[max(self._start, len(self._buffer) - len(mark) + 1) :]
        at = last.find(mark[:1])
        while at >= 0 and not mark.startswith(last[at:]):
            at = last.find(mark[:1], at + 1)
        return len(last) - at if at >= 0 else 0

    def _pass_line(self) -> None:
        """Go behind the rest of the boundary's line; `--` ends the body."""
        while len(self._buffer) < self._start + 2:
            self._more()
        if self._buffer.startswith(b"--", self._start):
            self._ended = True
            return
        self._start = self._find(b"\r\n", "A boundary line does not end.") + 2

    def _headers(self) -> dict[str, str]:
        while len(self._buffer) < self._start + 2:
            self._more()
        if self._buffer.startswith(b"\r\n", self._start):
            self._start += 2
            return {}
        end = self._find(b"\r\n\r\n", "The headers of a part do not end.")
        lines = self._buffer[self._start : end].decode("latin-1").split("\r\n")
        self._start = end + 4
        pairs = (line.partition(":") for line in lines if ":" in line)
        return {name.strip().lower(): value.strip() for name, _, value in pairs}

    def _find(self, end: bytes, missing: str) -> int:
        """Return where the next such bytes begin, reading on until they have come."""
        while (at := self._buffer.find(end, self._start)) < 0:
            if len(self._buffer) - self._start > MAX_HEADER_BYTES:
                raise MalformedError(missing)
            self._more()
        return at

    def _more(self) -> None:
        data = self._source.read(READ_BYTES)
        if not data:
            message = "The body ends before its closing boundary."
            raise MalformedError(message)
        rest = self._buffer[self._start :]
        self._buffer, self._start = rest + data if rest else data, 0
