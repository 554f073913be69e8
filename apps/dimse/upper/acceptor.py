"""One association that a peer opened with us: negotiate, take messages one by one, end.

Runs in a thread of its own with blocking reads. Whatever the peer does, `run` ends with the
socket closed, the record logged and no exception.

Source: PS3.8 9.2 (state machine, as the acceptor sees it), PS3.7 9 and 10.
"""

import contextlib
import socket
import time
import uuid
from collections.abc import Mapping

import structlog

from apps.core.actors import Actor
from apps.core.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from apps.dimse.domain import End
from apps.dimse.upper import commands, pdu
from apps.dimse.upper.commands import Command, CommandError
from apps.dimse.upper.negotiation import Agreement, Context, Options
from apps.dimse.upper.provider import Admission, AssociationRefusedError, Limits, Provider, Record
from apps.dimse.upper.tls import OurTls
from apps.dimse.upper.tls_wire import TlsError, TlsWire
from apps.dimse.upper.wire import (
    BrokenSourceError,
    ControlPduError,
    PeerGoneError,
    PeerSilentError,
    ProtocolError,
    Wire,
    WireError,
)

log = structlog.get_logger("isocenter.dimse")

UNRECOGNISED_OPERATION = 0x0211
PROCESSING_FAILURE = 0x0110


class Association:
    """An association as its acceptor."""

    def __init__(
        self,
        sock: socket.socket,
        address: str,
        provider: Provider,
        limits: Limits,
        tls: OurTls | None = None,
    ) -> None:
        self.id = str(uuid.uuid4())
        self.wire = Wire(sock) if tls is None else TlsWire(sock, tls.wrap_as_server)
        self.limits = limits
        self.record = Record(self.id, address)
        self.contexts: dict[int, Context] = {}
        self.request = pdu.AssociateRequest("", "", ())
        self._admission: Admission | None = None
        self._extended: tuple[pdu.ExtendedNegotiation, ...] = ()
        self._provider = provider
        self._idle_since: float | None = None
        self._ending: tuple[str, End] | None = None

    @property
    def admission(self) -> Admission:
        """Who the peer is; known once the association stands."""
        if self._admission is None:
            message = "the association is not established"
            raise RuntimeError(message)
        return self._admission

    @property
    def actor(self) -> Actor:
        """The peer as commands and selectors take it."""
        return self.admission.actor

    def agreed(self, sop_class_uid: str) -> Options:
        """Return what extended negotiation agreed for a query or retrieve SOP class."""
        found = (e.information for e in self._extended if e.sop_class_uid == sop_class_uid)
        return Options.decode(next(found, b""))

    # -- from outside ---------------------------------------------------------------------

    @property
    def idle_s(self) -> float:
        """For how many seconds it has waited for a message; 0 while it has one, or is ending."""
        since = self._idle_since
        return 0.0 if since is None or self._ending else time.monotonic() - since

    def drain(self, why: str = "shutting down", end: End = End.SHUT_DOWN) -> None:
        """End after the message in hand; called from the listener's thread."""
        self._ending = why, end
        if self._idle_since is not None:
            with contextlib.suppress(OSError):  # it may have ended by itself meanwhile
                self.wire.interrupt()

    def secure(self) -> bool:
        """Shake hands where the door is TLS; False where that failed and all is over."""
        wire = self.wire
        if not isinstance(wire, TlsWire):
            return True
        self._idle_since = time.monotonic()
        try:
            wire.secure(self.limits.handshake_s, as_server=True)
        except TlsError as error:
            if self._ending:
                self.record.outcome, self.record.end = self._ending
            else:
                self.record.outcome, self.record.end = f"TLS: {error}", End.TLS_FAILED
                self.record.rejection = error.fault.value
            self.record.tls = {"protocol": ""}
            wire.finish(self.limits.artim_s / 10)
        except PeerSilentError:
            self.record.outcome, self.record.end = "timed out before TLS", End.TIMED_OUT
            self.record.tls = {"protocol": ""}
        except PeerGoneError as error:
            self._end_by_loss(error)
        except Exception:
            log.exception("TLS handshake failed", association=self.id)
            self.record.outcome = "TLS: internal error"
        else:
            proved = wire.certificate.as_dict() if wire.certificate else {}
            self.record.tls = {"protocol": wire.protocol, **proved}
            self._idle_since = None
            return True
        wire.close()
        self._write_record()
        return False

    def run(self, *, full: bool = False) -> None:
        """Serve the association to its end.

        Args:
            full: too many are open already: hear the request out, and refuse it politely.
        """
        try:
            self._run(full=full)
        except ControlPduError as control:
            self._end_by_control(control)
        except ProtocolError as error:
            self._abort(error.abort, f"aborted: {error}")
        except (pdu.PduError, CommandError) as error:
            self._abort(pdu.ABORT_INVALID_PARAMETER, f"aborted: {error}")
        except PeerGoneError as error:
            self._end_by_loss(error)
        except BrokenSourceError as error:
            self._abort(pdu.ABORT_REASON_NOT_SPECIFIED, f"aborted: {error}")
        except PeerSilentError:
            self._abort(pdu.ABORT_REASON_NOT_SPECIFIED, "timed out", End.TIMED_OUT)
        except Exception:
            log.exception("association failed", association=self.id)
            self._abort(pdu.ABORT_REASON_NOT_SPECIFIED, "aborted: internal error")
        finally:
            self.wire.close()
            self._write_record()

    # -- establishment --------------------------------------------------------------------

    def _run(self, *, full: bool) -> None:
        self.wire.send_timeout(self.limits.message_s)
        request = self._read_request()
        try:
            if full:
                raise AssociationRefusedError(pdu.REJECT_LOCAL_LIMIT)
            agreement = self._establish(request)
        except AssociationRefusedError as refused:
            self.record.outcome, self.record.end = f"rejected: {refused}", End.REJECTED
            self.record.rejection = refused.code
            self.wire.send(refused.rejection.encode())
            self.wire.finish(self.limits.artim_s / 10)
            return
        self.wire.send(self._accept_pdu(request, agreement))
        self._serve()

    def _read_request(self) -> pdu.AssociateRequest:
        self.wire.deadline = time.monotonic() + self.limits.artim_s
        kind, payload = self.wire.read_pdu()
        self.wire.deadline = None
        if kind != pdu.ASSOCIATE_RQ:
            message = f"PDU {kind:#04x} before any association"
            raise ProtocolError(message, pdu.ABORT_UNEXPECTED_PDU)
        request = self.request = pdu.decode_request(payload)
        record = self.record
        record.calling_ae, record.called_ae = request.calling_ae, request.called_ae
        user = request.user
        record.implementation = user.implementation_version_name or user.implementation_class_uid
        record.contexts = [
            (c.context_id, c.abstract_syntax, c.transfer_syntaxes, pdu.USER_REJECTION, "")
            for c in request.contexts
        ]
        return request

    def _establish(self, request: pdu.AssociateRequest) -> Agreement:
        if not request.protocol_version & pdu.PROTOCOL_VERSION:
            raise AssociationRefusedError(pdu.REJECT_PROTOCOL_VERSION)
        if request.application_context != pdu.APPLICATION_CONTEXT:
            raise AssociationRefusedError(pdu.REJECT_APPLICATION_CONTEXT)
        self.wire.peer_accepts(request.user.max_pdu_bytes)
        certificate = self.wire.certificate if isinstance(self.wire, TlsWire) else None
        self._admission = self._provider.admit(request, self.record.address, self.id, certificate)
        self.record.actor = self.actor.key
        agreement = self._provider.negotiate(request)
        self.contexts = agreement.contexts
        self._extended = self._provider.extended(request)
        results = {result.context_id: result for result in agreement.results}
        self.record.contexts = [
            (number, abstract, offered, results[number].result, results[number].transfer_syntax)
            for number, abstract, offered, _, _ in self.record.contexts
        ]
        return agreement

    def _accept_pdu(self, request: pdu.AssociateRequest, agreement: Agreement) -> bytes:
        identity = request.user.identity
        answered = identity and identity.response_requested and self.admission.identified
        user = pdu.UserInformation(
            max_pdu_bytes=self.limits.max_pdu_bytes,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            operations_window=(1, 1) if request.user.operations_window else None,
            roles=agreement.roles,
            extended=self._extended,
            identity_response=b"" if answered else None,
        )
        accept = pdu.AssociateAccept(request.called_ae, request.calling_ae, agreement.results, user)
        return pdu.encode_accept(accept)

    # -- messages -------------------------------------------------------------------------

    def _serve(self) -> None:
        wire, limits = self.wire, self.limits
        while True:
            self._idle_since = time.monotonic()
            wire.receive_timeout(limits.idle_s)
            if self._ending:
                raise PeerGoneError(self._ending[0])
            wire.wait()
            self._idle_since = None
            wire.receive_timeout(limits.message_s)
            context, command = self.read_command()
            self.record.in_message = True
            self.dispatch(context, command)
            self.record.in_message = False

    def dispatch(self, context: Context, command: Command) -> None:
        """Let the handler of a request answer it."""
        handler = self._provider.handlers.get(command.field)
        if handler is not None:
            handler(self, context, command)
        elif command.field != commands.C_CANCEL_RQ:
            self._refuse_operation(context, command)

    def read_command(self) -> tuple[Context, Command]:
        """Read the next command set, and which context it came in.

        Raises:
            ProtocolError: the context was not accepted.
        """
        context_id, raw = self.wire.read_command()
        context = self.contexts.get(context_id)
        if context is None:
            message = f"presentation context {context_id} was not accepted"
            raise ProtocolError(message)
        return context, Command.decode(raw)

    def read_data_set(self, context: Context, command: Command) -> bytes:
        """Read the data set of a message that is no object: identifiers, MPPS.

        Raises:
            ProtocolError: larger than any such data set has reason to be.
        """
        collected = bytearray()
        if not command.has_data_set:
            return b""
        limit = self.limits.max_identifier_bytes

        def keep(piece: memoryview) -> None:
            if len(collected) + len(piece) > limit:
                message = f"an identifier of more than {limit} bytes"
                raise ProtocolError(message)
            collected.extend(piece)

        self.wire.stream_data_set(context.context_id, keep)
        return bytes(collected)

    def skip_data_set(self, context: Context, command: Command) -> None:
        """Read a data set to its end and forget it."""
        if command.has_data_set:
            self.wire.stream_data_set(context.context_id, len)

    def respond(
        self,
        context: Context,
        request: Command,
        status: int,
        *,
        extra: Mapping[int, int | str | bytes] | None = None,
        data_set: bytes | None = None,
        comment: str = "",
    ) -> None:
        """Send a response and count it."""
        self.count(request, status)
        command = commands.encode_response(
            request, status, extra, with_data_set=data_set is not None, comment=comment
        )
        self.wire.send(self.wire.message(context.context_id, command, data_set))

    def cancelled(self, request: Command) -> bool:
        """Tell whether a C-CANCEL for the request has come; never waits.

        Raises:
            ProtocolError: another message came while the request is served (window 1/1).
        """
        if not self.wire.has_input():
            return False
        _, command = self.read_command()
        if command.field != commands.C_CANCEL_RQ:
            message = f"{command.name} while {request.name} is served"
            raise ProtocolError(message, pdu.ABORT_UNEXPECTED_PDU)
        return command.number(commands.MESSAGE_ID_RESPONDED_TO) == request.message_id

    def count(self, request: Command, status: int, times: int = 1) -> None:
        """Note in the record that a request was answered with a status."""
        if times:
            self.record.messages[f"{request.name} {status:04X}H"] += times

    def _refuse_operation(self, context: Context, command: Command) -> None:
        if command.field & commands.RESPONSE:
            message = f"a response nobody asked for: {command.name}"
            raise ProtocolError(message, pdu.ABORT_UNEXPECTED_PDU)
        self.skip_data_set(context, command)
        self.respond(context, command, UNRECOGNISED_OPERATION)

    # -- ends -----------------------------------------------------------------------------

    def _end_by_control(self, control: ControlPduError) -> None:
        if control.kind == pdu.RELEASE_RQ:
            self.record.outcome, self.record.end = "released", End.RELEASED
            try:
                self.wire.send(pdu.RELEASE_RP_PDU)
                self.wire.finish(self.limits.artim_s / 10)
            except WireError:
                self.record.outcome = "released, then gone"
        elif control.kind == pdu.ABORT:
            self.record.outcome, self.record.end = "aborted by the peer", End.ABORTED_BY_PEER
        else:
            self._abort(pdu.ABORT_UNEXPECTED_PDU, f"aborted: unexpected PDU {control.kind:#04x}")

    def _end_by_loss(self, error: PeerGoneError) -> None:
        if self._ending:
            why, end = self._ending
            self._abort(pdu.ABORT_REASON_NOT_SPECIFIED, f"aborted: {why}", end)
        elif not self.wire.bytes_in:
            self.record.outcome, self.record.end = "probe: nothing was sent", End.PROBE
        else:
            self.record.outcome, self.record.end = f"lost: {error}", End.LOST

    def _abort(
        self, source_and_reason: tuple[int, int], outcome: str, end: End = End.ABORTED_BY_US
    ) -> None:
        self.record.outcome, self.record.end = outcome, end
        try:
            self.wire.send(pdu.encode_abort(source_and_reason))
            self.wire.finish(self.limits.artim_s / 10)
        except WireError:
            self.record.outcome = f"{outcome}; the peer was gone"

    def _write_record(self) -> None:
        record = self.record
        record.seconds = time.monotonic() - record.started
        record.bytes_in, record.bytes_out = self.wire.bytes_in, self.wire.bytes_out
        accepted = [context for context in record.contexts if context[3] == pdu.ACCEPTED]
        refused = {context[1] for context in record.contexts if context[3] != pdu.ACCEPTED}
        level = log.debug if record.end is End.PROBE else log.info
        level(
            "association",
            association=record.association,
            address=record.address,
            calling_ae=record.calling_ae,
            called_ae=record.called_ae,
            actor=record.actor,
            tls=record.tls.get("protocol", ""),
            certificate=record.tls.get("subject", ""),
            implementation=record.implementation,
            contexts=f"{len(accepted)}/{len(record.contexts)}",
            refused=sorted(refused),
            messages=dict(record.messages),
            bytes_in=record.bytes_in,
            bytes_out=record.bytes_out,
            seconds=round(record.seconds, 3),
            outcome=record.outcome,
        )
        self._provider.ended(record)
