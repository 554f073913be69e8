"""Killing parts of a running product while objects come in, and how it recovers."""

import contextlib
import os
import random
import signal
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from celery import Celery

from pacs_site.up.supervision import marked, ticks
from tests.faults.ledger import Ledger, Sample, Verdict, files_of, orphans, samples
from tests.faults.senders import Sender, Storescu, Stow
from tests.product import Product

RECOVERY_S = 60.0
Kill = Callable[[Product], set[int]]
"""Kills something and returns the processes it killed."""


def children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    with contextlib.suppress(OSError):
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(each) for each in listed]
    return []


def _end(*pids: int) -> set[int]:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return set(pids)


def _running(made: Product, name: str) -> int:
    """Return the process id of a program, once it runs.

    The beat may be between two lives: after an outage of the database it notices at its next look
    that its lock is lost, and ends by itself.
    """
    for _ in ticks(RECOVERY_S):
        state = made.supervisor.states()[name]
        if state["statename"] == "RUNNING":
            return int(state["pid"])
    raise AssertionError(f"{name} does not run: {state}")


def _program(name: str) -> Kill:
    """Kill a program with all its processes, in one blow."""

    def kill(made: Product) -> set[int]:
        pid = _running(made, name)
        return _end(pid, *children(pid))

    return kill


def _one_of(name: str) -> Kill:
    """Kill one of the processes that a program started."""

    def kill(made: Product) -> set[int]:
        for _ in ticks(RECOVERY_S):
            if found := children(_running(made, name)):
                return _end(random.choice(found))
        raise AssertionError(f"{name} started no process")

    return kill


def _backend(made: Product) -> set[int]:
    """Kill a database process that serves a client; the server then resets itself."""
    client = "backend_type = 'client backend' AND pid <> pg_backend_pid()"
    found = made.sql(f"SELECT pid FROM pg_stat_activity WHERE {client}")
    return _end(random.choice(found)[0])


def _everything(made: Product) -> set[int]:
    """Kill every program at once, all but the supervisor."""
    pids = [state["pid"] for state in made.supervisor.states().values() if state["pid"]]
    return _end(*pids, *(child for pid in pids for child in children(pid)))


KILLS: dict[str, Kill] = {
    "DIMSE listener": _program("dimse"),
    "one DIMSE process": _one_of("dimse"),
    "web server": _program("web"),
    "one web worker": _one_of("web"),
    "PostgreSQL": _program("postgres"),
    "one PostgreSQL backend": _backend,
    "Celery worker": _program("worker"),
    "broker": _program("valkey"),
    "Celery beat": _program("beat"),
    "HL7 listener": _program("mllp"),
    "one Celery process": _one_of("worker"),
    "everything": _everything,
}


@dataclass
class Tally:
    """The figures of a row of kills."""

    kills: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    interrupted: int = 0
    swept: int = 0
    recoveries: dict[str, list[float]] = field(default_factory=dict)

    def words(self) -> str:
        """Say it as docs/reliability.md has it."""
        every = [each for times in self.recoveries.values() for each in times]
        total = (
            f"{self.kills} kills, {self.verdict.acknowledged} objects acknowledged, "
            f"{len(self.verdict.lost)} lost, {len(self.verdict.twice)} twice, "
            f"{len(self.verdict.unreadable)} unreadable; {self.interrupted} sends unanswered and "
            f"repeated; {self.swept} files without a row, all swept; "
            f"recovery median {statistics.median(every):.1f} s, max {max(every):.1f} s"
        )
        rows = [
            f"| {name} | {len(times)} | {statistics.median(times):.1f} | {max(times):.1f} |"
            for name, times in self.recoveries.items()
        ]
        return "\n".join([total, *rows])


class Siege:
    """A product under a row of faults, with the ledger of what it acknowledged."""

    def __init__(self, made: Product, token: str) -> None:
        self.made, self.token = made, token
        self.ledger = Ledger()
        self.past = Ledger()
        self.killed: set[int] = set()

    def turn_page(self) -> None:
        """Begin an empty ledger; what was in it goes to the past, which is judged at the end."""
        self.past.add(self.ledger)
        self.ledger = Ledger()

    def judge(self) -> Verdict:
        """Compare this page of the ledger with what is kept."""
        return self.ledger.judge(self.made.sql, files_of(self.made.home / "archive"))

    def judge_all(self) -> Verdict:
        """Compare all pages with what is kept."""
        self.turn_page()
        return self.past.judge(self.made.sql, files_of(self.made.home / "archive"))

    def orphans(self) -> set[str]:
        """Return the keys of files that no row names."""
        return orphans(self.made.sql, self.made.home / "archive")

    def senders(self) -> list[Sender]:
        """Return four associations and a STOW-RS client that are about to send."""
        return [
            *(Storescu(self.made.dicom_port, self.ledger, samples(12)) for _ in range(3)),
            Storescu(self.made.dicom_port, self.ledger, samples(2, size=1024)),
            Stow(self.made.http_port, self.ledger, samples(24), token=self.token),
        ]

    def attack(self, kill: Kill, *, delay: float) -> float:
        """Kill while objects come in, on a new page of the ledger; return seconds to recovery."""
        self.turn_page()
        senders = self.senders()
        for sender in senders:
            sender.start()
        time.sleep(delay)  # the point of ingest at which it strikes is the test's to choose
        self.killed = kill(self.made)
        took = self.timed_recovery()
        for sender in senders:
            sender.join(120)
            assert not sender.is_alive(), "a sender never heard the end"
        return took

    def send_again(self) -> int:
        """Send what was not acknowledged, as modalities do; return how many that were."""
        left = self.ledger.open()
        if left:
            self.send(left)
        return len(left)

    def send(self, batch: list[Sample]) -> None:
        """Store by C-STORE; every one must be acknowledged."""
        sender = Storescu(self.made.dicom_port, self.ledger, batch)
        sender.run()
        missing = {one.uid for one in batch} - self.ledger.acknowledged
        assert not missing, f"{len(missing)} of {len(batch)} not taken"

    def timed_recovery(self) -> float:
        """Wait until it serves; return the seconds that took."""
        began = time.monotonic()
        self.wait_serving()
        return time.monotonic() - began

    def wait_serving(self, seconds: float = RECOVERY_S) -> None:
        """Wait until `/readyz` is 200, every program runs, and both doors take an object."""
        problem: object = None
        for _ in ticks(seconds, pause=0.1):
            problem = self.problem()
            if problem is None:
                return
        raise AssertionError(f"not serving after {seconds:.0f} s: {problem}")

    def problem(self) -> object:
        """Return why it does not serve now, or None."""
        try:
            answer = self.made.get("/readyz")
        except OSError as error:
            return error
        if answer[0] != 200:
            return answer
        states = self.made.supervisor.states()
        down = {
            name: state["statename"]
            for name, state in states.items()
            if state["statename"] != "RUNNING" or state["pid"] in self.killed
        }
        if down:
            return down
        one, other = samples(2, size=16)
        probes = [
            Storescu(self.made.dicom_port, self.ledger, [one]),
            Stow(self.made.http_port, self.ledger, [other], token=self.token),
        ]
        for probe in probes:
            probe.run()
        refused = {one.uid, other.uid} - self.ledger.acknowledged
        return f"not taken: {refused}" if refused else None


def worker_answers(made: Product, seconds: float = RECOVERY_S) -> None:
    """Wait until a Celery worker answers through the broker."""
    app = Celery(broker=f"redis+socket://{made.home / 'run' / 'valkey.sock'}", set_as_current=False)
    for _ in ticks(seconds):
        with app.connection() as broker:  # of its own: a pooled one may be of the broker before
            if app.control.ping(timeout=1.0, connection=broker):
                return
    raise AssertionError(f"no Celery worker answers after {seconds:.0f} s")


def outbox_drains(made: Product, seconds: float = RECOVERY_S) -> None:
    """Wait until every event was delivered; none may be dead."""
    left: object = None
    for _ in ticks(seconds, pause=0.2):
        left = made.sql(
            "SELECT count(*) FILTER (WHERE dead_at IS NULL), count(*) FILTER (WHERE dead_at"
            " IS NOT NULL), max(error) FROM core_outboxdelivery WHERE done_at IS NULL"
        )
        if left[0][:2] == (0, 0):
            return
    raise AssertionError(f"events not delivered after {seconds:.0f} s: {left}")


def rss_kb(made: Product) -> dict[int, int]:
    """Return the resident memory of every process of the product, by process id."""
    found = {}
    for pid in marked(f"ISOCENTER_SUPERVISED={made.home}"):
        with contextlib.suppress(OSError, StopIteration):
            text = Path(f"/proc/{pid}/status").read_text()
            line = next(line for line in text.splitlines() if line.startswith("VmRSS:"))
            found[pid] = int(line.split()[1])
    return found
