"""An association that we open with a peer: the sender of C-MOVE's sub-operations, and C-ECHO.

Source: PS3.8 9.2, PS3.7 9.1.1 (C-STORE), 9.1.5 (C-ECHO).
"""

import contextlib
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType

from apps.core.certificates import Certificate
from apps.core.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from apps.dimse.domain import TlsFault, Unreachable
from apps.dimse.upper import commands, pdu
from apps.dimse.upper.commands import Command, encode_command
from apps.dimse.upper.negotiation import Context
from apps.dimse.upper.tls import fault_of, said
from apps.dimse.upper.tls_wire import PeerTls, TlsError, TlsWire
from apps.dimse.upper.wire import (
    Chunk,
    ControlPduError,
    PeerGoneError,
    PeerSilentError,
    ProtocolError,
    Wire,
    WireError,
)

MAX_PDU_BYTES = 1024 * 1024
MEDIUM_PRIORITY = 0x0000
_PENDING = (0xFF00, 0xFF01)


class PeerUnreachableError(Exception):
    """No connection, no association, or the peer rejected it; the message says which.

    Attributes:
        cause: how far it did not come.
        code: of a rejection `source.reason` (PS3.8 9.3.4), of TLS the `TlsFault`.
        certificate: which one the peer showed, where TLS failed for it and it is known.
    """

    def __init__(
        self,
        message: str,
        cause: Unreachable = Unreachable.NOT_THIS,
        code: str = "",
        certificate: Certificate | None = None,
    ) -> None:
        self.cause = cause
        self.code = code
        self.certificate = certificate
        super().__init__(message)


class Requestor:
    """An association as its requestor; a context manager that releases or aborts at the end."""

    def __init__(
        self, wire: Wire, contexts: dict[int, Context], accept: pdu.AssociateAccept | None = None
    ) -> None:
        self.wire = wire
        self.contexts = contexts
        told = accept.user if accept else pdu.UserInformation()
        self.program = told.implementation_version_name or told.implementation_class_uid
        """The peer's implementation, as it calls itself."""
        self.results = {one.context_id: one.result for one in accept.results} if accept else {}
        """What became of each proposed context. Source: PS3.8 Table 9-18."""
        self._message_id = 0

    @classmethod
    def open(
        cls,
        *,
        host: str,
        port: int,
        called_ae: str,
        calling_ae: str,
        contexts: Sequence[pdu.ProposedContext],
        roles: Sequence[pdu.RoleSelection] = (),
        identity: pdu.UserIdentity | None = None,
        tls: PeerTls | None = None,
        connect_s: float = 10.0,
        answer_s: float = 60.0,
    ) -> "Requestor":
        """Connect and associate.

        Args:
            host: name or address of the peer.
            port: its port.
            called_ae: its AE title.
            calling_ae: ours.
            contexts: what to propose; we are the SCU of all of it.
            roles: save where a role selection says otherwise.
            identity: who is behind us, where the peer wants to know.
            tls: how to call it over TLS; None: without.
            connect_s: seconds to wait for the connection, and for TLS.
            answer_s: seconds to wait for any answer, and for room to send.

        Raises:
            PeerUnreachableError: with the reason.
        """
        peer = f"{called_ae} at {host}:{port}"
        wire = _connect(peer, host, port, tls, connect_s)
        try:
            wire.receive_timeout(answer_s)
            wire.send_timeout(answer_s)
            user = pdu.UserInformation(
                max_pdu_bytes=MAX_PDU_BYTES,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
                roles=tuple(roles),
                identity=identity,
            )
            request = pdu.AssociateRequest(called_ae, calling_ae, tuple(contexts), user)
            accept, accepted = cls._associate(wire, request, peer)
        except (WireError, pdu.PduError) as error:
            wire.close()
            raise _unreachable(peer, error, secured=tls is not None) from error
        except PeerUnreachableError:
            wire.close()
            raise
        return cls(wire, accepted, accept)

    @staticmethod
    def _associate(
        wire: Wire, request: pdu.AssociateRequest, peer: str
    ) -> tuple[pdu.AssociateAccept, dict[int, Context]]:
        try:
            wire.send(pdu.encode_request(request))
        except PeerGoneError:
            wire.wait()  # what it said before it closed, such as a TLS alert, tells more
        kind, payload = wire.read_pdu()
        if kind == pdu.ASSOCIATE_RJ:
            rejection = pdu.decode_reject(payload)
            message = f"{peer} rejected the association: {rejection.words}"
            code = f"{rejection.source}.{rejection.reason}"
            raise PeerUnreachableError(message, Unreachable.REJECTED, code)
        if kind != pdu.ASSOCIATE_AC:
            message = f"{peer} ended the association before it stood"
            raise PeerUnreachableError(message, Unreachable.ABORTED)
        accept = pdu.decode_accept(payload)
        refused = {
            role.sop_class_uid
            for asked in request.user.roles
            for role in accept.user.roles
            if role.sop_class_uid == asked.sop_class_uid
            and (role.scu, role.scp) != (asked.scu, asked.scp)
        }
        wire.peer_accepts(accept.user.max_pdu_bytes)
        proposed = {context.context_id: context.abstract_syntax for context in request.contexts}
        return accept, {
            result.context_id: Context(
                result.context_id,
                proposed[result.context_id],
                result.transfer_syntax,
                we_may_send=True,
            )
            for result in accept.results
            if result.result == pdu.ACCEPTED
            and result.context_id in proposed
            and proposed[result.context_id] not in refused
        }

    def next_message_id(self) -> int:
        """Return a message ID no message under way has."""
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def echo(self, context: Context) -> int:
        """Send C-ECHO, return the status."""
        return self.ask_echo(context).status

    def ask_echo(self, context: Context) -> Command:
        """Send C-ECHO, return the response."""
        return self.request(
            context,
            {
                commands.AFFECTED_SOP_CLASS_UID: context.abstract_syntax,
                commands.COMMAND_FIELD: commands.C_ECHO_RQ,
            },
        )

    def find(self, context: Context, identifier: bytes, *, most: int) -> tuple[Command, int]:
        """Send C-FIND and count the matches; return the final response and their number.

        After `most` of them the query is cancelled; what comes until the peer heeds it is counted.

        Source: PS3.7 9.1.2 and 9.3.2.3; PS3.4 C.4.1.
        """
        values: dict[int, int | str | bytes] = {
            commands.AFFECTED_SOP_CLASS_UID: context.abstract_syntax,
            commands.COMMAND_FIELD: commands.C_FIND_RQ,
            commands.PRIORITY: MEDIUM_PRIORITY,
        }
        answer, matches = self.request(context, values, identifier), 0
        while answer.status in _PENDING:
            if answer.has_data_set:
                self.wire.stream_data_set(context.context_id, len)
            matches += 1
            if matches == most:
                self._cancel(context)
            answer = self.read_response()
        if answer.has_data_set:
            self.wire.stream_data_set(context.context_id, len)
        return answer, matches

    def _cancel(self, context: Context) -> None:
        cancel = encode_command(
            {
                commands.COMMAND_FIELD: commands.C_CANCEL_RQ,
                commands.MESSAGE_ID_RESPONDED_TO: self._message_id,
                commands.DATA_SET_TYPE: commands.NO_DATA_SET,
            }
        )
        self.wire.send(self.wire.message(context.context_id, cancel))

    def request(
        self,
        context: Context,
        values: Mapping[int, int | str | bytes],
        data_set: bytes | None = None,
    ) -> Command:
        """Send a request whose data set is small, and return its response.

        Args:
            context: to send it in.
            values: its command elements but for message ID and data set type.
            data_set: encoded in the context's transfer syntax.
        """
        command = encode_command(
            {
                **values,
                commands.MESSAGE_ID: self.next_message_id(),
                commands.DATA_SET_TYPE: (
                    commands.NO_DATA_SET if data_set is None else commands.WITH_DATA_SET
                ),
            }
        )
        self.wire.send(self.wire.message(context.context_id, command, data_set))
        return self.read_response()

    def store(
        self,
        context: Context,
        *,
        sop_instance_uid: str,
        chunks: Iterable[Chunk],
        originator: tuple[str, int] | None = None,
        meanwhile: Callable[[], object] | None = None,
    ) -> int:
        """Send C-STORE, return the status. See `send_stream` for errors of `chunks`.

        Args:
            context: to send it in.
            sop_instance_uid: of the object.
            chunks: its data set.
            originator: of a C-MOVE, AE title and message ID.
            meanwhile: called when all is sent, before the answer is waited for.
        """
        command = store_command(
            context.abstract_syntax, sop_instance_uid, self.next_message_id(), originator
        )
        self.wire.send_stream(context.context_id, command, chunks)
        if meanwhile is not None:
            meanwhile()
        return self.read_response().status

    def read_response(self) -> Command:
        """Read the next command set, which must be a response."""
        _, raw = self.wire.read_command()
        command = Command.decode(raw)
        if not command.field & commands.RESPONSE:
            message = f"{command.name} where a response was due"
            raise ProtocolError(message, pdu.ABORT_UNEXPECTED_PDU)
        return command

    def release(self) -> None:
        """End in order; a peer that does not answer is left."""
        try:
            self.wire.send(pdu.RELEASE_RQ_PDU)
            self.wire.read_command()
        except ControlPduError:
            pass  # the release response, as it should be
        except WireError:
            pass  # gone without saying so: nothing is under way any more
        self.wire.close()

    def abort(self) -> None:
        """End at once."""
        with contextlib.suppress(WireError):  # it may be gone already
            self.wire.send(pdu.encode_abort(pdu.ABORT_BY_USER))
        self.wire.close()

    def __enter__(self) -> "Requestor":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.release()
        else:
            self.abort()


def _connect(peer: str, host: str, port: int, tls: PeerTls | None, seconds: float) -> Wire:
    """Return a wire to the peer, secured where it is called over TLS.

    Raises:
        PeerUnreachableError: with the reason.
    """
    try:
        sock = socket.create_connection((host, port), timeout=seconds)
    except OSError as error:
        raise _unreachable(peer, error) from error
    if tls is None:
        return Wire(sock)
    wire: TlsWire | None = None
    try:
        wire = tls.wire(sock, host)
        wire.secure(seconds, as_server=False)
        tls.check(wire.certificate)
    except WireError as error:
        (wire or sock).close()
        raise _unreachable(peer, error) from error
    return wire


def _unreachable(peer: str, error: Exception, *, secured: bool = False) -> PeerUnreachableError:
    """Return what stopped us on the way to an association, with how far we came."""
    if isinstance(error, TlsError):
        message = f"{peer}: TLS: {error}"
        return PeerUnreachableError(message, Unreachable.TLS, error.fault, error.certificate)
    fault = fault_of(error.__cause__)  # what TLS 1.3 says of our certificate comes with the answer
    if fault is TlsFault.OURS_REFUSED and error.__cause__ is not None:
        message = f"{peer}: TLS: {said(error.__cause__)}"
        return PeerUnreachableError(message, Unreachable.TLS, fault)
    if secured and isinstance(error, PeerGoneError):
        message = f"{peer}: closed after the TLS handshake: {error}"
        return PeerUnreachableError(message, Unreachable.TLS, TlsFault.CLOSED_AFTER)
    match error:
        case socket.gaierror():
            cause = Unreachable.NO_SUCH_HOST
        case ConnectionRefusedError():
            cause = Unreachable.REFUSED
        case TimeoutError():
            cause = Unreachable.NO_CONNECTION
        case OSError():
            cause = Unreachable.NO_ROUTE
        case PeerSilentError():
            cause = Unreachable.SILENT
        case ProtocolError() | ControlPduError() | pdu.PduError():
            cause = Unreachable.NO_DICOM
        case _:
            cause = Unreachable.CLOSED
    return PeerUnreachableError(f"{peer}: {error}", cause)


def store_command(
    sop_class_uid: str,
    sop_instance_uid: str,
    message_id: int,
    originator: tuple[str, int] | None = None,
) -> bytes:
    """Return a C-STORE request's command set.

    Args:
        sop_class_uid: of the object.
        sop_instance_uid: of the object.
        message_id: ours.
        originator: AE title and message ID of the C-MOVE behind it. Source: PS3.7 9.1.1.1.
    """
    values: dict[int, int | str | bytes] = {
        commands.AFFECTED_SOP_CLASS_UID: sop_class_uid,
        commands.COMMAND_FIELD: commands.C_STORE_RQ,
        commands.MESSAGE_ID: message_id,
        commands.PRIORITY: MEDIUM_PRIORITY,
        commands.DATA_SET_TYPE: commands.WITH_DATA_SET,
        commands.AFFECTED_SOP_INSTANCE_UID: sop_instance_uid,
    }
    if originator is not None:
        values[commands.MOVE_ORIGINATOR_AE] = originator[0]
        values[commands.MOVE_ORIGINATOR_MESSAGE_ID] = originator[1]
    return encode_command(values)
