"""Frames split and joined in any way; bytes that are no frames."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.hl7.domain.framing import FrameReader, FrameTooLarge, FramingError, frame

PAYLOAD = st.binary(max_size=60).map(lambda data: data.replace(b"\x0b", b"").replace(b"\x1c", b""))


@given(
    st.lists(PAYLOAD, max_size=6),
    st.sampled_from([b"", b"\r\n", b"\x00"]),
    st.lists(st.integers(0, 500), max_size=12),
)
def test_any_split_gives_the_same_messages(payloads, padding, cuts):
    stream = b"".join(frame(one) + padding for one in payloads)
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut <= len(stream))})
    reader = FrameReader(1000)
    got = []
    for start, end in itertools.pairwise(borders):
        got += reader.feed(stream[start:end])
    assert got == payloads
    assert not reader.in_frame


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_hostile_bytes_only_raise_framing_errors(chunks):
    reader = FrameReader(64)
    try:
        for chunk in chunks:
            for message in reader.feed(chunk):
                assert len(message) <= 64
    except FramingError:
        pass


def test_missing_carriage_return_and_restart():
    reader = FrameReader(100)
    assert reader.feed(b"\x0bone\x1c\x0btwo\x1c") == [b"one", b"two"]
    assert reader.feed(b"\r\x0bgiven up\x0bthree\x1c\r") == [b"three"]
    assert reader.dropped == 1


def test_limits():
    with pytest.raises(FrameTooLarge):
        FrameReader(10).feed(b"\x0b" + b"x" * 11)
    with pytest.raises(FramingError, match="0x0B"):
        FrameReader(10).feed(b"GET / HTTP/1.1\r\n\r\n")
