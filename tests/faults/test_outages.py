"""Database or broker away and back: nobody dies of it, nothing is lost, and work goes on."""

import contextlib
import json
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from pacs_site.up.progress import say
from tests.faults.killing import Siege, outbox_drains, worker_answers
from tests.faults.ledger import samples
from tests.faults.senders import Storescu, Stow
from tests.product import Product, product

pytestmark = [pytest.mark.e2e, pytest.mark.peer]
STAYING = {  # not the beat, which gives up its lock, nor a worker whose connection broke badly
    "postgres": {"web", "dimse", "mllp", "worker", "valkey"},
    "valkey": {"web", "dimse", "mllp", "postgres"},
}


def pids(made: Product) -> dict[str, tuple[str, int]]:
    """Return state and process id of each program."""
    states = made.supervisor.states()
    return {name: (state["statename"], state["pid"]) for name, state in states.items()}


@contextlib.contextmanager
def away(made: Product, name: str) -> Iterator[None]:
    """Stop a server in order for the time of the block; the others must outlive it."""
    before = pids(made)
    made.supervisor.rpc.stopProcess(name)
    try:
        yield
        during = pids(made)
        gone = {each for each in STAYING[name] if during[each] != before[each]}
        assert not gone, {each: (before[each], during[each]) for each in gone}
        assert "FATAL" not in {state for state, _ in during.values()}
    finally:
        made.supervisor.rpc.startProcess(name)


def not_ready(made: Product) -> dict[str, str]:
    """Return what `/readyz` says is wrong."""
    status, body = made.get("/readyz")
    assert status == 503
    return {name: words for name, words in json.loads(body)["checks"].items() if words != "ok"}


def mllp_accepts(made: Product) -> None:
    """The HL7 listener takes connections."""
    socket.create_connection(("127.0.0.1", made.mllp_port), timeout=5).close()


def without_database(siege: Siege) -> None:
    """What doors say while the database is away: nothing is taken, and each says that it passes."""
    made = siege.made
    assert "database" in not_ready(made)
    refused = samples(3, size=16)
    sender = Storescu(made.dicom_port, siege.ledger, refused)
    sender.run()
    stow = Stow(made.http_port, siege.ledger, refused, token=siege.token)
    stow.run()
    assert stow.statuses == [503]
    assert not {one.uid for one in refused} & siege.ledger.acknowledged
    assert made.get("/")[0] == 503
    assert made.get("/livez")[0] == 200
    mllp_accepts(made)


def without_broker(siege: Siege) -> None:
    """Nothing that a person or a modality waits for needs the broker."""
    made = siege.made
    assert set(not_ready(made)) == {"broker"}
    siege.send(samples(5, size=16))
    stow = Stow(made.http_port, siege.ledger, samples(5, size=16), token=siege.token)
    stow.run()
    assert stow.statuses == [200]
    outbox_drains(made)


def outage(siege: Siege, name: str, seconds: float) -> float:
    """Take a server away for so long; return the seconds until all serve again."""
    look = {"postgres": without_database, "valkey": without_broker}[name]
    with away(siege.made, name):
        end = time.monotonic() + seconds
        look(siege)
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 5))  # an outage lasts as long as it lasts
            look(siege)
    began = time.monotonic()
    siege.wait_serving()
    worker_answers(siege.made)
    took = time.monotonic() - began
    siege.send_again()
    outbox_drains(siege.made)
    verdict = siege.judge()
    assert verdict.good, verdict
    return took


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_away_for_a_moment_and_back(siege: Siege, name: str) -> None:
    outage(siege, name, 0)


def test_a_worker_delivers_though_it_began_without_a_broker(siege: Siege) -> None:
    made = siege.made
    made.supervisor.rpc.stopProcess("valkey")
    try:
        old = made.kill("worker")
        made.wait_restarted("worker", old)
        siege.send(samples(2, size=16))
        outbox_drains(made)
    finally:
        made.supervisor.rpc.startProcess("valkey")
    siege.wait_serving()
    worker_answers(made)


def test_a_broker_that_hangs_hangs_nobody(siege: Siege) -> None:
    siege.made.kill("valkey", signal.SIGSTOP)
    try:
        began = time.monotonic()
        without_broker(siege)
        assert time.monotonic() - began < 30
    finally:
        siege.made.kill("valkey", signal.SIGCONT)
    siege.wait_serving()
    worker_answers(siege.made)


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_away_for_long_and_back(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with product() as made:
        made.up()
        siege = Siege(made, made.token())
        siege.wait_serving()
        took = [outage(siege, name, seconds) for seconds in (5, 30, 300)]
    with capsys.disabled():
        say(f"\n{name} away for 5, 30 and 300 s: serving again in {[round(t, 1) for t in took]} s")
