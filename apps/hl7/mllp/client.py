"""MLLP client: send one message, read its acknowledgement.

Source: HL7 v2 Transport: MLLP, Release 1, section 3.
"""

from __future__ import annotations

import socket
import time

from apps.hl7.domain.framing import FrameReader, FramingError, frame

_CHUNK = 65536


class MllpError(OSError):
    """No acknowledgement came; whether the peer has the message is unknown."""


def exchange(
    host: str,
    port: int,
    message: bytes,
    *,
    connect_seconds: float = 5.0,
    answer_seconds: float = 30.0,
    max_answer_bytes: int = 1024 * 1024,
) -> bytes:
    """Send a message on a connection of its own and return the acknowledgement's bytes.

    Raises:
        MllpError: no connection, no whole answer in time, or an answer that is no MLLP frame.
    """
    try:
        with socket.create_connection((host, port), timeout=connect_seconds) as sock:
            deadline = time.monotonic() + answer_seconds
            sock.settimeout(answer_seconds)
            sock.sendall(frame(message))
            reader = FrameReader(max_answer_bytes)
            while (remaining := deadline - time.monotonic()) > 0:
                sock.settimeout(remaining)
                chunk = sock.recv(_CHUNK)
                if not chunk:
                    raise MllpError("the peer closed the connection without an acknowledgement")
                answers = reader.feed(chunk)
                if answers:
                    return answers[0]
            raise MllpError(f"no acknowledgement within {answer_seconds:g} s")
    except MllpError:
        raise
    except FramingError as error:
        raise MllpError(f"the answer is no MLLP frame: {error}") from error
    except TimeoutError as error:
        raise MllpError(f"no acknowledgement within {answer_seconds:g} s") from error
    except OSError as error:
        raise MllpError(f"{host}:{port}: {error.strerror or error}") from error
