"""Where the sub-operations of a retrieve go.

Back over the same association (C-GET), or over a new one to another AE (C-MOVE).

Source: PS3.4 C.4.2.2 and C.4.3.2.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Protocol

import structlog

from apps.core.errors import DomainError
from apps.dimse.statuses import PROCESSING_FAILURE, SOP_CLASS_NOT_SUPPORTED, status_of
from apps.dimse.upper import commands, pdu
from apps.dimse.upper.acceptor import Association
from apps.dimse.upper.commands import Command, CommandError
from apps.dimse.upper.negotiation import Context, context_for, contexts_to_send
from apps.dimse.upper.requestor import PeerUnreachableError, Requestor, store_command
from apps.dimse.upper.tls_wire import PeerTls
from apps.dimse.upper.wire import Chunk, ProtocolError, WireError

log = structlog.get_logger("isocenter.dimse")

MAX_OPENINGS = 4


class Retrievable(Protocol):
    """One object as the retrieve engine gives it."""

    @property
    def sop_class_uid(self) -> str:
        """Its class."""
        ...

    @property
    def sop_instance_uid(self) -> str:
        """Its UID."""
        ...

    @property
    def transfer_syntax_uid(self) -> str:
        """As it is stored."""
        ...

    def data_set(self, transfer_syntax_uid: str) -> Iterable[Chunk]:
        """Yield its data set in a transfer syntax, with the identity of today.

        Raises:
            DomainError: it cannot be read, or not be given so.
        """
        ...


def _unreadable(one: Retrievable, error: Exception) -> int:
    """Return the failure of an object of which nothing was sent: it fails alone."""
    if isinstance(error, DomainError):
        return status_of(error)
    log.error("object not sent", sop_instance_uid=one.sop_instance_uid, exc_info=error)
    return PROCESSING_FAILURE


class _Ahead:
    """What goes next: its first chunk is read while the peer works on the object before it."""

    def __init__(self) -> None:
        self._held: tuple[Retrievable, str, Iterator[Chunk]] | None = None

    def begin(self, one: Retrievable, transfer_syntax_uid: str) -> None:
        """Read the first chunk; an error in it comes when it is asked for."""
        try:
            chunks = iter(one.data_set(transfer_syntax_uid))
            begun: Iterator[Chunk] = chain((next(chunks, b""),), chunks)
        except Exception as error:
            begun = _failing(error)
        self._held = (one, transfer_syntax_uid, begun)

    def data_set(self, one: Retrievable, transfer_syntax_uid: str) -> Iterable[Chunk]:
        """Return the object's data set, begun or not."""
        held, self._held = self._held, None
        if held is not None and held[:2] == (one, transfer_syntax_uid):
            return held[2]
        return one.data_set(transfer_syntax_uid)


def _failing(error: Exception) -> Iterator[Chunk]:
    raise error
    yield b""


class BackOverAssociation:
    """C-GET: the peer that asked is the SCP of the sub-operations.

    Attributes:
        cancelled: C-CANCEL came meanwhile.
    """

    def __init__(self, association: Association, request: Command) -> None:
        self._association = association
        self._request = request
        self._message_id = request.message_id
        self._by_kind: dict[tuple[str, str], Context | None] = {}
        self._ahead = _Ahead()
        self.cancelled = False

    def send(self, one: Retrievable, following: Retrievable | None = None) -> int:
        """Send, then wait for the answer, noticing a C-CANCEL before it.

        Args:
            one: what to send.
            following: what will be sent after it.
        """
        association = self._association
        context = self._context(one)
        if context is None:
            return SOP_CLASS_NOT_SUPPORTED
        self._message_id = self._message_id % 0xFFFF + 1
        command = store_command(one.sop_class_uid, one.sop_instance_uid, self._message_id)
        try:
            chunks = self._ahead.data_set(one, context.transfer_syntax)
            association.wire.send_stream(context.context_id, command, chunks)
        except WireError:
            raise
        except Exception as error:
            return _unreadable(one, error)
        if following is not None and (next_context := self._context(following)) is not None:
            self._ahead.begin(following, next_context.transfer_syntax)
        return self._answer()

    def _context(self, one: Retrievable) -> Context | None:
        kind = (one.sop_class_uid, one.transfer_syntax_uid)
        if kind not in self._by_kind:
            self._by_kind[kind] = context_for(self._association.contexts.values(), *kind)
        return self._by_kind[kind]

    def _answer(self) -> int:
        while True:
            _, answer = self._association.read_command()
            if answer.field == commands.C_CANCEL_RQ:
                self.cancelled = True
            elif answer.field == commands.C_STORE_RSP:
                return answer.status
            else:
                message = f"{answer.name} where the answer to a C-STORE was due"
                raise ProtocolError(message, pdu.ABORT_UNEXPECTED_PDU)


class ToDestination:
    """C-MOVE: a new association to the destination, opened again a few times if it breaks."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        ae_title: str,
        calling_ae: str,
        originator: tuple[str, int],
        objects: Sequence[Retrievable],
        tls: PeerTls | None = None,
    ) -> None:
        self._peer = {
            "host": host,
            "port": port,
            "called_ae": ae_title,
            "calling_ae": calling_ae,
            "tls": tls,
        }
        self._originator = originator
        self._contexts = contexts_to_send((o.sop_class_uid, o.transfer_syntax_uid) for o in objects)
        self._requestor: Requestor | None = None
        self._openings_left = MAX_OPENINGS
        self._by_kind: dict[tuple[str, str], Context | None] = {}
        self._ahead = _Ahead()

    def send(self, one: Retrievable, following: Retrievable | None = None) -> int:
        """Send and return the answer's status.

        Args:
            one: what to send.
            following: what will be sent after it.

        Raises:
            PeerUnreachableError: the destination cannot be reached, or no more.
        """
        requestor = self._open()
        context = self._context(requestor, one)
        if context is None:
            return SOP_CLASS_NOT_SUPPORTED
        try:
            return requestor.store(
                context,
                sop_instance_uid=one.sop_instance_uid,
                chunks=self._ahead.data_set(one, context.transfer_syntax),
                originator=self._originator,
                meanwhile=partial(self._begin, requestor, following),
            )
        except (WireError, CommandError) as error:
            log.warning("sub-operation failed", peer=self._peer["called_ae"], error=str(error))
            requestor.abort()
            self._requestor = None
            return PROCESSING_FAILURE
        except Exception as error:
            return _unreadable(one, error)

    def _begin(self, requestor: Requestor, following: Retrievable | None) -> None:
        if following is not None and (context := self._context(requestor, following)) is not None:
            self._ahead.begin(following, context.transfer_syntax)

    def _open(self) -> Requestor:
        if self._requestor is None:
            if not self._openings_left:
                message = f"{self._peer['called_ae']}: the association broke too often"
                raise PeerUnreachableError(message)
            self._openings_left -= 1
            self._by_kind.clear()
            self._requestor = Requestor.open(**self._peer, contexts=self._contexts)  # type: ignore[arg-type]
        return self._requestor

    def _context(self, requestor: Requestor, one: Retrievable) -> Context | None:
        kind = (one.sop_class_uid, one.transfer_syntax_uid)
        if kind not in self._by_kind:
            self._by_kind[kind] = context_for(requestor.contexts.values(), *kind)
        return self._by_kind[kind]

    def close(self) -> None:
        """Release the association."""
        if self._requestor is not None:
            self._requestor.release()
            self._requestor = None
