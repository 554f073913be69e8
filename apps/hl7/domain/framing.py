"""MLLP frames, split and joined by the network in any way.

A frame is ``<VT> message <FS> <CR>``. The frame is taken as complete at <FS>, so that a sender
that forgets <CR> still gets its answer. Source: HL7 v2 Transport: MLLP, Release 1, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass

START_BLOCK = b"\x0b"
END_BLOCK = b"\x1c"
CARRIAGE_RETURN = b"\r"
_BETWEEN = b"\r\n\x00 \t"
"""Bytes some senders leave between frames; they mean nothing."""


class FramingError(ValueError):
    """What came is no MLLP frame; the connection cannot be trusted any further."""


class FrameTooLarge(FramingError):  # noqa: N818 -- the name says it better without a suffix
    """A frame grew beyond the limit."""


def frame(message: bytes) -> bytes:
    """Wrap a message for the wire."""
    return START_BLOCK + message + END_BLOCK + CARRIAGE_RETURN


@dataclass
class FrameReader:
    """Turns received chunks into messages; holds at most ``max_bytes`` of an unfinished one."""

    max_bytes: int

    def __post_init__(self) -> None:
        """Start between frames."""
        self._buffer: bytearray | None = None
        self.dropped = 0  # frames begun and never ended

    @property
    def in_frame(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._buffer is not None

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take received bytes, return the messages they complete, in order.

        Raises:
            FramingError: bytes outside of a frame that are no padding.
            FrameTooLarge: see ``max_bytes``.
        """
        messages: list[bytes] = []
        position = 0
        while position < len(chunk):
            if self._buffer is None:
                start = chunk.find(START_BLOCK, position)
                outside = chunk[position:] if start < 0 else chunk[position:start]
                if outside.strip(_BETWEEN):
                    raise FramingError(
                        "bytes outside of an MLLP frame: a message begins with 0x0B "
                        "and ends with 0x1C 0x0D"
                    )
                if start < 0:
                    return messages
                self._buffer = bytearray()
                position = start + 1
            end = chunk.find(END_BLOCK, position)
            part = chunk[position:] if end < 0 else chunk[position:end]
            restart = part.rfind(START_BLOCK)
            if restart >= 0:
                # The sender gave up its frame and began another one.
                self.dropped += part.count(START_BLOCK)
                self._buffer.clear()
                part = part[restart + 1 :]
            if len(self._buffer) + len(part) > self.max_bytes:
                raise FrameTooLarge(f"the message is larger than {self.max_bytes} bytes")
            self._buffer += part
            if end < 0:
                return messages
            messages.append(bytes(self._buffer))
            self._buffer = None
            position = end + 1
        return messages
