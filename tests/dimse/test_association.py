"""The upper layer against foreign clients and against peers that mean no good."""

import os
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest
from pynetdicom import AE
from structlog.testing import capture_logs

from apps.dimse.domain import End
from apps.dimse.scp.verification import echo
from apps.dimse.upper import commands, pdu
from apps.dimse.upper.acceptor import Association
from apps.dimse.upper.commands import Command
from apps.dimse.upper.negotiation import Context
from apps.dimse.upper.provider import AssociationRefusedError, Limits
from apps.dimse.upper.requestor import PeerUnreachableError, Requestor
from pacs_site.up.supervision import ticks
from tests.dimse.servers import OpenProvider, Server

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_LE = "1.2.840.10008.1.2"
CT = "1.2.840.10008.5.1.4.1.1.2"
ECHO = {commands.C_ECHO_RQ: echo}
REQUEST = pdu.encode_request(
    pdu.AssociateRequest(
        "ISOCENTER",
        "HOSTILE",
        (
            pdu.ProposedContext(1, VERIFICATION, (IMPLICIT_LE,)),
            pdu.ProposedContext(3, CT, (IMPLICIT_LE,)),
        ),
    )
)
ECHO_COMMAND = commands.encode_command(
    {
        commands.AFFECTED_SOP_CLASS_UID: VERIFICATION,
        commands.COMMAND_FIELD: commands.C_ECHO_RQ,
        commands.MESSAGE_ID: 7,
        commands.DATA_SET_TYPE: commands.NO_DATA_SET,
    }
)


def p_data(*fragments: tuple[int, int, bytes]) -> bytes:
    body = b"".join(
        struct.pack(">IBB", len(value) + 2, context, control) + value
        for context, control, value in fragments
    )
    return struct.pack(">BxI", 4, len(body)) + body


class Peer:
    """A raw socket."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=10)

    def associate(self) -> "Peer":
        self.socket.sendall(REQUEST)
        assert self.pdu()[0] == pdu.ASSOCIATE_AC
        return self

    def pdu(self) -> tuple[int, bytes]:
        head = self.exactly(6)
        kind, length = struct.unpack(">BxI", head)
        return kind, self.exactly(length)

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            assert piece, f"closed after {data!r}"
            data += piece
        return data

    def closed(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def wait_until_idle(server: Server) -> None:
    with server.crew._lock:
        assert server.crew._gone.wait_for(lambda: not server.crew._active, 10)


def wait_until_idling(server: Server, count: int) -> None:
    """A peer has its answer a moment before its association waits for the next message."""
    for _ in ticks(10):
        if sum(one.idle_s > 0 for one in server.crew._active) == count:
            return
    pytest.fail(f"not idle: {[one.idle_s for one in server.crew._active]}")


@pytest.mark.peer
def test_dcmtk_echoes() -> None:
    with Server(OpenProvider(ECHO)) as server:
        command = ["echoscu", "--repeat", "20", "127.0.0.1", str(server.port)]
        subprocess.run(command, check=True, capture_output=True, timeout=30)


def test_pynetdicom_echoes_and_sees_our_answers() -> None:
    ae = AE("PYNET")
    ae.add_requested_context(VERIFICATION)
    with Server(OpenProvider(ECHO)) as server:
        assoc = ae.associate("127.0.0.1", server.port)
        assert assoc.is_established
        assert assoc.acceptor.implementation_version_name.startswith("ISOCENTER")
        assert assoc.acceptor.maximum_length == 1024 * 1024
        assert assoc.send_c_echo().Status == 0
        assoc.release()
        assert assoc.is_released


def test_our_requestor_echoes() -> None:
    contexts = [pdu.ProposedContext(1, VERIFICATION, (IMPLICIT_LE,))]
    with (
        Server(OpenProvider(ECHO)) as server,
        Requestor.open(
            host="127.0.0.1", port=server.port, called_ae="A", calling_ae="B", contexts=contexts
        ) as peer,
    ):
        assert peer.echo(peer.contexts[1]) == 0


def test_a_refused_peer_hears_why() -> None:
    def refuse(request: pdu.AssociateRequest) -> None:
        raise AssociationRefusedError(pdu.REJECT_CALLING_AE)

    contexts = [pdu.ProposedContext(1, VERIFICATION, (IMPLICIT_LE,))]
    with (
        capture_logs() as logs,
        Server(OpenProvider(ECHO, refuse)) as server,
        pytest.raises(PeerUnreachableError, match="calling AE title not recognised"),
    ):
        Requestor.open(
            host="127.0.0.1", port=server.port, called_ae="A", calling_ae="B", contexts=contexts
        )
    assert [entry["outcome"] for entry in logs] == ["rejected: calling AE title not recognised"]


def test_one_too_many_is_rejected_politely_and_served_later() -> None:
    with Server(OpenProvider(ECHO), most=2) as server:
        with Peer(server) as first, Peer(server) as second, Peer(server) as third:
            first.associate()
            second.associate()
            third.socket.sendall(REQUEST)
            kind, payload = third.pdu()
            assert kind == pdu.ASSOCIATE_RJ
            assert pdu.decode_reject(payload) == pdu.REJECT_LOCAL_LIMIT
        wait_until_idle(server)
        with Peer(server) as peer:
            peer.associate()


def test_where_there_is_no_room_the_idlest_makes_some() -> None:
    limits = Limits(artim_s=5, message_s=5, idle_s=600, crowded_idle_s=0)
    provider = OpenProvider(ECHO)
    with Server(provider, limits, most=2) as server:
        with Peer(server).associate() as idlest:
            wait_until_idling(server, 1)
            with Peer(server).associate() as other:
                wait_until_idling(server, 2)
                with Peer(server).associate():
                    assert idlest.pdu()[0] == pdu.ABORT
                other.socket.sendall(pdu.RELEASE_RQ_PDU)
                assert other.pdu()[0] == pdu.RELEASE_RP
        wait_until_idle(server)
    [ended] = [record for record in provider.records if record.end is End.TIMED_OUT]
    assert ended.outcome == "aborted: idle while others waited for room"


def test_fragments_of_one_byte_make_a_command() -> None:
    with Server(OpenProvider(ECHO)) as server, Peer(server) as peer:
        peer.associate()
        last = len(ECHO_COMMAND) - 1
        for index, value in enumerate(ECHO_COMMAND):
            peer.socket.sendall(p_data((1, 3 if index == last else 1, bytes([value]))))
        kind, payload = peer.pdu()
        assert kind == pdu.P_DATA_TF
        response = Command.decode(payload[6:])
        assert (response.field, response.status) == (commands.C_ECHO_RSP, 0)
        assert response.number(commands.MESSAGE_ID_RESPONDED_TO) == 7


def test_an_operation_we_do_not_know_is_answered() -> None:
    command = commands.encode_command(
        {
            commands.REQUESTED_SOP_CLASS_UID: VERIFICATION,
            commands.COMMAND_FIELD: commands.N_DELETE_RQ,
            commands.MESSAGE_ID: 1,
            commands.DATA_SET_TYPE: commands.NO_DATA_SET,
        }
    )
    with Server(OpenProvider(ECHO)) as server, Peer(server) as peer:
        peer.associate().socket.sendall(p_data((1, 3, command)))
        assert Command.decode(peer.pdu()[1][6:]).status == 0x0211


@pytest.mark.parametrize(
    "rubbish",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        struct.pack(">BxI", 1, 2**32 - 1),
        struct.pack(">BxI", 4, 100) + b"x" * 100,
        struct.pack(">BxI", 1, 30) + b"x" * 30,
        struct.pack(">BxI", 2, 4) + b"\0" * 4,
    ],
    ids=["http", "endless", "data first", "short", "accept first"],
)
def test_rubbish_before_an_association_is_aborted(rubbish: bytes) -> None:
    with Server(OpenProvider(ECHO)) as server:
        with Peer(server) as peer:
            peer.socket.sendall(rubbish)
            assert peer.pdu()[0] == pdu.ABORT
            assert peer.closed()
        wait_until_idle(server)


@pytest.mark.parametrize(
    "rubbish",
    [
        p_data((99, 3, ECHO_COMMAND)),
        p_data((1, 3, b"\0\0")),
        p_data((1, 2, b"data without command")),
        struct.pack(">BxIIBB", 4, 6, 2**31, 1, 3),
        struct.pack(">BxI", 4, 3) + b"abc",
        struct.pack(">BxI", 0x77, 0),
        p_data((1, 1, b"x" * 40000), (1, 1, b"x" * 40000)),
        REQUEST,
    ],
    ids=["context", "command", "no command", "length", "tiny", "type", "endless", "request"],
)
def test_rubbish_within_an_association_is_aborted(rubbish: bytes) -> None:
    with Server(OpenProvider(ECHO)) as server:
        with Peer(server) as peer:
            peer.associate().socket.sendall(rubbish)
            assert peer.pdu()[0] == pdu.ABORT
            assert peer.closed()
        wait_until_idle(server)


def test_silent_and_dripping_peers_are_let_go() -> None:
    limits = Limits(artim_s=0.3, message_s=0.3, idle_s=0.3)
    with Server(OpenProvider(ECHO), limits) as server, capture_logs() as logs:
        with Peer(server) as silent, Peer(server) as dripping, Peer(server) as idle:
            idle.associate()
            stop = threading.Event()

            def drip() -> None:
                for value in REQUEST:
                    if stop.wait(0.1):
                        return
                    try:
                        dripping.socket.sendall(bytes([value]))
                    except OSError:
                        return

            thread = threading.Thread(target=drip)
            thread.start()
            start = time.monotonic()
            assert idle.pdu()[0] == pdu.ABORT
            assert silent.pdu()[0] == pdu.ABORT
            assert dripping.pdu()[0] == pdu.ABORT
            assert time.monotonic() - start < 3
            stop.set()
            thread.join()
        wait_until_idle(server)
    assert sum(entry["outcome"].startswith("timed out") for entry in logs) == 3


def threads_and_files() -> tuple[int, int]:
    return threading.active_count(), len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))


def test_a_thousand_bare_probes_leave_nothing() -> None:
    with Server(OpenProvider(ECHO)) as server:
        with Peer(server) as peer:
            peer.associate()
        wait_until_idle(server)
        _, files = threads_and_files()
        for _ in range(1000):
            socket.create_connection(("127.0.0.1", server.port)).close()
        with Peer(server) as peer:  # the last in the queue: all before it were taken
            peer.socket.sendall(REQUEST)
            assert peer.pdu()[0] in (pdu.ASSOCIATE_AC, pdu.ASSOCIATE_RJ)
        wait_until_idle(server)
        threads, files_after = threads_and_files()
        assert files_after <= files
        assert threads < 120
        with Peer(server) as peer:
            peer.associate()


def test_a_peer_that_takes_nothing_is_let_go() -> None:
    def flood(association: Association, context: Context, command: Command) -> None:
        association.skip_data_set(context, command)
        for _ in range(10_000):
            association.respond(context, command, 0xFF00, data_set=b"x" * 10_000)

    with (
        Server(OpenProvider({commands.C_ECHO_RQ: flood})) as server,
        capture_logs() as logs,
        Peer(server) as peer,
    ):
        peer.associate().socket.sendall(p_data((1, 3, ECHO_COMMAND)))
        wait_until_idle(server)
    assert logs[-1]["outcome"].startswith("timed out")


def test_draining_finishes_the_message_in_hand() -> None:
    entered, go = threading.Event(), threading.Event()

    def slow(association: Association, context: Context, command: Command) -> None:
        entered.set()
        assert go.wait(10)
        echo(association, context, command)

    with (
        Server(OpenProvider({commands.C_ECHO_RQ: slow})) as server,
        Peer(server) as busy,
        Peer(server) as idle,
    ):
        busy.associate().socket.sendall(p_data((1, 3, ECHO_COMMAND)))
        idle.associate()
        assert entered.wait(10)
        drained: list[int] = []
        thread = threading.Thread(target=lambda: drained.append(server.crew.drain(10)))
        thread.start()
        assert idle.pdu()[0] == pdu.ABORT
        go.set()
        kind, payload = busy.pdu()
        assert kind == pdu.P_DATA_TF
        assert Command.decode(payload[6:]).status == 0
        assert busy.pdu()[0] == pdu.ABORT
        busy.socket.close()
        idle.socket.close()
        thread.join(10)
        assert drained == [0]


def test_the_record_says_what_happened() -> None:
    with Server(OpenProvider(ECHO)) as server, capture_logs() as logs:
        with Peer(server) as peer:
            peer.associate().socket.sendall(p_data((1, 3, ECHO_COMMAND)))
            peer.pdu()
            peer.socket.sendall(pdu.RELEASE_RQ_PDU)
            assert peer.pdu()[0] == pdu.RELEASE_RP
        wait_until_idle(server)
    entry = logs[-1]
    assert entry["event"] == "association"
    assert entry["calling_ae"] == "HOSTILE"
    assert entry["contexts"] == "2/2"
    assert entry["messages"] == {"C-ECHO 0000H": 1}
    assert entry["outcome"] == "released"
