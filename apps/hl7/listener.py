"""The door: from received bytes to the acknowledgement that goes back."""

import structlog
from django.db import close_old_connections, connections

from apps.core import clock
from apps.hl7 import services
from apps.hl7.domain.acknowledgement import AckCode, ErrorCode, Problem, build_ack

log = structlog.get_logger(__name__)

TRY_AGAIN = "the message could not be processed here just now; send it again"


def handle(raw: bytes, address: str) -> bytes:
    """Answer one message of a connection's thread, on a database connection that still lives."""
    close_old_connections()
    return answer(raw, address)


def answer(raw: bytes, address: str) -> bytes:
    """Keep a message, process it, return its acknowledgement. Never raises.

    What fails on our side is answered with AR: the sender still has the message, and may send it
    again (HL7 v2.5.1 2.9.2.2).
    """
    message_id = None
    try:
        message_id = services.message_keep(raw=raw, address=address, at=clock.now())
        return services.message_process(message_id=message_id, at=clock.now())
    except Exception:
        log.exception("hl7.processing-failed", message_id=message_id, address=address)
        return _failed(message_id)


def reject(words: str) -> bytes:
    """Answer bytes that are no message at all."""
    problem = Problem(ErrorCode.SEGMENT_SEQUENCE, words)
    return build_ack(
        AckCode.REJECT, message=None, at=clock.now(), control_id="A0", problems=(problem,)
    )


def release() -> None:
    """Give back what a connection's thread holds."""
    connections.close_all()


def _failed(message_id: int | None) -> bytes:
    if message_id is not None:
        try:
            return services.message_fail(message_id=message_id, words=TRY_AGAIN, at=clock.now())
        except Exception:
            log.exception("hl7.failure-not-kept", message_id=message_id)
    problem = Problem(ErrorCode.INTERNAL, TRY_AGAIN)
    return build_ack(
        AckCode.REJECT, message=None, at=clock.now(), control_id="A0", problems=(problem,)
    )
