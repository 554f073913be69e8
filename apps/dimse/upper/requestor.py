"""An association that we open with a peer: the sender of C-MOVE's sub-operations, and C-ECHO.

Source: PS3.8 9.2, PS3.7 9.1.1 (C-STORE), 9.1.5 (C-ECHO).
"""

import contextlib
import socket
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType

from apps.core.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from apps.dimse.upper import commands, pdu
from apps.dimse.upper.commands import Command, encode_command
from apps.dimse.upper.negotiation import Context
from apps.dimse.upper.wire import Chunk, ControlPduError, ProtocolError, Wire, WireError

MAX_PDU_BYTES = 1024 * 1024
MEDIUM_PRIORITY = 0x0000


class PeerUnreachableError(Exception):
    """No connection, no association, or the peer rejected it; the message says which."""


class Requestor:
    """An association as its requestor; a context manager that releases or aborts at the end."""

    def __init__(self, wire: Wire, contexts: dict[int, Context]) -> None:
        self.wire = wire
        self.contexts = contexts
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
            connect_s: seconds to wait for the connection.
            answer_s: seconds to wait for any answer, and for room to send.

        Raises:
            PeerUnreachableError: with the reason.
        """
        peer = f"{called_ae} at {host}:{port}"
        try:
            sock = socket.create_connection((host, port), timeout=connect_s)
        except OSError as error:
            message = f"{peer}: {error}"
            raise PeerUnreachableError(message) from error
        wire = Wire(sock)
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
            accepted = cls._associate(wire, request, peer)
        except (WireError, pdu.PduError) as error:
            wire.close()
            message = f"{peer}: {error}"
            raise PeerUnreachableError(message) from error
        except PeerUnreachableError:
            wire.close()
            raise
        return cls(wire, accepted)

    @staticmethod
    def _associate(wire: Wire, request: pdu.AssociateRequest, peer: str) -> dict[int, Context]:
        wire.send(pdu.encode_request(request))
        kind, payload = wire.read_pdu()
        if kind == pdu.ASSOCIATE_RJ:
            message = f"{peer} rejected the association: {pdu.decode_reject(payload).words}"
            raise PeerUnreachableError(message)
        if kind != pdu.ASSOCIATE_AC:
            message = f"{peer} ended the association before it stood"
            raise PeerUnreachableError(message)
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
        return {
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
        return self.request(
            context,
            {
                commands.AFFECTED_SOP_CLASS_UID: context.abstract_syntax,
                commands.COMMAND_FIELD: commands.C_ECHO_RQ,
            },
        ).status

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
    ) -> int:
        """Send C-STORE, return the status. See `send_stream` for errors of `chunks`."""
        command = store_command(
            context.abstract_syntax, sop_instance_uid, self.next_message_id(), originator
        )
        self.wire.send_stream(context.context_id, command, chunks)
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
