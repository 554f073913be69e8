"""Who may open an association, against the real registry and the real listener."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from apps.dimse.upper import pdu
from apps.dimse.upper.requestor import PeerUnreachableError, Requestor
from tests.dimse.installation import Installation

VERIFICATION = "1.2.840.10008.1.1"
CONTEXTS = [pdu.ProposedContext(1, VERIFICATION, ("1.2.840.10008.1.2",))]

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]


@pytest.fixture
def closed(installed: Installation):
    installed.manage("register_ae", "CT_1", "127.0.0.1", "10400", "--allow", "store")
    installed.start(open_ae=False)
    yield installed
    installed.stop()


def echoscu(port: int, *titles: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["echoscu", *titles, "127.0.0.1", str(port)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_who_is_registered_comes_in_and_others_hear_why_not(closed: Installation) -> None:
    unknown = echoscu(closed.port, "-aet", "STRANGER", "-aec", "ISOCENTER")
    assert unknown.returncode != 0
    assert "Calling AE Title Not Recognized" in unknown.stderr
    assert "Result: Rejected Permanent, Source: Service User" in unknown.stderr
    wrong = echoscu(closed.port, "-aet", "CT_1", "-aec", "OTHER")
    assert "Called AE Title Not Recognized" in wrong.stderr
    with Requestor.open(
        host="127.0.0.1",
        port=closed.port,
        called_ae="ISOCENTER",
        calling_ae="CT_1",
        contexts=CONTEXTS,
    ) as peer:
        assert peer.echo(peer.contexts[1]) == 0x0124  # registered, but not for C-ECHO
    log = closed.log()
    assert "rejected: calling AE title not recognised" in log
    assert "rejected: called AE title not recognised" in log


def test_a_token_makes_the_peer_its_user_and_a_wrong_one_is_refused(closed: Installation) -> None:
    def call(identity: pdu.UserIdentity) -> None:
        user = pdu.UserInformation(identity=identity)
        assert user
        Requestor.open(
            host="127.0.0.1",
            port=closed.port,
            called_ae="ISOCENTER",
            calling_ae="CT_1",
            contexts=CONTEXTS,
            identity=identity,
        ).release()

    call(pdu.UserIdentity(1, response_requested=True, primary=b"just a name"))
    with pytest.raises(PeerUnreachableError, match="rejected"):
        call(pdu.UserIdentity(5, response_requested=True, primary=b"no-such-token"))


def test_open_to_strangers_where_the_setting_says_so(listener: Installation) -> None:
    done = echoscu(listener.port, "-aet", "STRANGER", "-aec", "ISOCENTER")
    assert done.returncode == 0, done.stderr


def test_a_process_that_dies_is_replaced(listener: Installation) -> None:
    before = listener.children()
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while before[0] in listener.children() or len(listener.children()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert echoscu(listener.port, "-aec", "ISOCENTER").returncode == 0


def test_children_end_when_the_parent_is_killed(installed: Installation) -> None:
    installed.start()
    children = installed.children()
    assert installed.listener is not None
    installed.listener.kill()
    installed.listener.wait(10)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    installed.start()
    assert echoscu(installed.port, "-aec", "ISOCENTER").returncode == 0
    assert installed.stop() == 0


def test_associations_are_shared_between_the_processes(installed: Installation) -> None:
    installed.start()
    deadline = time.monotonic() + 10
    while len(installed.children()) < 2:  # the port is open before they are forked
        assert time.monotonic() < deadline
        time.sleep(0.05)
    before = {pid: sockets(pid) for pid in installed.children()}
    opened = [opened_at(installed.port) for _ in range(16)]
    served = [sockets(pid) - count for pid, count in before.items()]
    for one in opened:
        one.release()
    assert installed.stop() == 0
    assert sum(served) >= 16
    assert max(served) - min(served) <= 4, served


def opened_at(port: int) -> Requestor:
    return Requestor.open(
        host="127.0.0.1", port=port, called_ae="ISOCENTER", calling_ae="CT_1", contexts=CONTEXTS
    )


def sockets(pid: int) -> int:
    """Return how many sockets a process holds."""
    found = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += entry.readlink().name.startswith("socket:")
    return found
