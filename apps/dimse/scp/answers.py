"""Matches of a C-FIND on their way to the peer, gathered so that few system calls send many.

Source: PS3.7 9.1.2, PS3.4 C.4.1 and K.4.1.
"""

import struct
from collections.abc import Iterable

from apps.core.errors import DomainError
from apps.dimse.data_sets import SPECIFIC_CHARACTER_SET, DataSet, DataSetError, decode, encode
from apps.dimse.statuses import CANCELLED, CANNOT_UNDERSTAND, PENDING, SUCCESS, status_of
from apps.dimse.upper.acceptor import Association
from apps.dimse.upper.commands import OFFENDING_ELEMENT, Command, encode_response
from apps.dimse.upper.negotiation import EXPLICIT_LE, Context

FLUSH_BYTES = 64 * 1024


def read_identifier(association: Association, context: Context, command: Command) -> DataSet | None:
    """Read the identifier of a request; answer it and return None where it cannot be read."""
    raw = association.read_data_set(context, command)
    try:
        return decode(raw, explicit=context.transfer_syntax == EXPLICIT_LE)
    except DataSetError as error:
        association.respond(context, command, CANNOT_UNDERSTAND, comment=str(error))
        return None


def refuse(
    association: Association, context: Context, command: Command, error: DomainError
) -> None:
    """Answer a query or retrieve that cannot be done, with words and the element they are about.

    Source: PS3.4 C.4.1.1.4 and C.4.2.1.5: Offending Element and Error Comment go with a failure.
    """
    tag = error.details.get("tag")
    extra = None
    if isinstance(tag, int):
        extra = {OFFENDING_ELEMENT: struct.pack("<HH", tag >> 16, tag & 0xFFFF)}
    status = status_of(error)
    association.respond(context, command, status, extra=extra, comment=error.message)


def answer_matches(
    association: Association,
    context: Context,
    command: Command,
    matches: Iterable[DataSet],
    *,
    identifier: DataSet,
    pending: int = PENDING,
    final: int | None = None,
) -> None:
    """Send each match, then the final status; stop at C-CANCEL.

    Args:
        association: where the request came from.
        context: of the request.
        command: the request.
        matches: may raise `DomainError`, which becomes the final status.
        identifier: the request's, for the character set the peer reads.
        pending: FF00H, or FF01H where an optional key asked for is not supported.
        final: what to end with where all were sent, by default success.
    """
    wire = association.wire
    explicit = context.transfer_syntax == EXPLICIT_LE
    character_set = str(identifier.get(SPECIFIC_CHARACTER_SET, ""))
    head = encode_response(command, pending, with_data_set=True)
    waiting: list[bytes] = []
    waiting_bytes = count = 0
    final, comment = SUCCESS if final is None else final, ""
    try:
        for match in matches:
            data_set = encode(match, explicit=explicit, character_set=character_set)
            message = wire.message(context.context_id, head, data_set)
            waiting.append(message)
            waiting_bytes += len(message)
            count += 1
            if waiting_bytes >= FLUSH_BYTES:
                wire.send(b"".join(waiting))
                waiting, waiting_bytes = [], 0
                if association.cancelled(command):
                    final = CANCELLED
                    break
    except DomainError as error:
        final, comment = status_of(error), error.message
    association.count(command, pending, count)
    association.count(command, final)
    waiting.append(
        wire.message(context.context_id, encode_response(command, final, comment=comment))
    )
    wire.send(b"".join(waiting))
