"""A multipart body comes in pieces of any size; its parts are the same."""

from io import BytesIO

import pytest

from apps.dicomweb.errors import MalformedError
from apps.dicomweb.multipart import MultipartReader

BODIES = (
    b"",
    b"plain",
    b"\r\n--mar",
    b"\r\n--marx and \r\r\n--mar and \r\n--ma\r\n--mar\r",
    b"\r\n" * 20,
    bytes(range(256)) * 40,
)


class Pieces:
    """A source that gives at most so many bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        self._file, self._size = BytesIO(content), size

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, self._size))


def body(*parts: bytes, headers: bytes = b"Content-Type: a/b\r\nX: y:z\r\n") -> bytes:
    opened = b"".join(b"\r\n--mark \r\n" + headers + b"\r\n" + part for part in parts)
    return b"preamble" + opened + b"\r\n--mark--\r\nepilogue"


def parts_of(content: bytes, size: int) -> list[tuple[dict[str, str], bytes]]:
    reader = MultipartReader(Pieces(content, size), "mark")
    return [(part.headers, b"".join(part.chunks())) for part in reader.parts()]


@pytest.mark.parametrize("size", [*range(1, 24), 64, 1000, 1 << 20])
def test_parts_are_the_same_in_pieces_of_any_size(size):
    headers = {"content-type": "a/b", "x": "y:z"}
    assert parts_of(body(*BODIES), size) == [(headers, one) for one in BODIES]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_parts_may_have_no_headers(size):
    assert parts_of(body(*BODIES, headers=b""), size) == [({}, one) for one in BODIES]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_body_that_breaks_off_is_said(size):
    whole = body(b"one", b"two")
    for length in (0, 5, len(whole) - 30, whole.index(b"--mark--") + 6):
        with pytest.raises(MalformedError, match="ends before"):
            parts_of(whole[:length], size)


@pytest.mark.parametrize("end", [b"\r\n--mark", b"\r\n--mark\r\nX: "])
def test_a_line_without_end_is_not_collected_for_ever(end):
    with pytest.raises(MalformedError, match="not end"):
        parts_of(b"preamble" + end + b"a" * 100_000, 1000)
