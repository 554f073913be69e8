"""Modalities and scanners that misbehave: nothing half is seen, memory is flat, others go on."""

import contextlib
import socket
import statistics
import time
from collections.abc import Callable, Iterator

import pytest

from apps.dimse.upper import pdu
from apps.dimse.upper.requestor import PeerUnreachableError, Requestor, store_command
from pacs_site.up.progress import say
from pacs_site.up.supervision import ticks
from tests.factories.dicom import dataset_bytes
from tests.faults.killing import Siege, children, rss_kb
from tests.faults.ledger import samples
from tests.product import Product, product

pytestmark = [pytest.mark.e2e, pytest.mark.peer]
CT, VERIFICATION = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"


def peer(made: Product, *abstracts: str) -> Requestor:
    """Open an association with a context for each abstract syntax."""
    return Requestor.open(
        host="127.0.0.1",
        port=made.dicom_port,
        called_ae=made.ae_title,
        calling_ae="HOSTILE",
        contexts=[
            pdu.ProposedContext(2 * index + 1, abstract, (EXPLICIT,))
            for index, abstract in enumerate(abstracts)
        ],
    )


def half_an_object(made: Product) -> Requestor:
    """Open an association and send two thirds of an object."""
    [sample] = samples(1, size=512)
    opened = peer(made, CT)
    opened.wire.send(opened.wire.message(1, store_command(CT, sample.uid, 1)))
    half = dataset_bytes(sample.part10)[:350_000]
    opened.wire.send(b"".join(opened.wire._fragments(1, half, 0, last=False)))
    return opened


def probe(made: Product) -> None:
    """Connect and leave, as a port scanner does."""
    socket.create_connection(("127.0.0.1", made.dicom_port), timeout=10).close()


def storm(made: Product, *, probes: int, associations: int, halves: int) -> None:
    """Misbehave in every way; on return every connection of it is closed."""
    for _ in range(probes):
        probe(made)
    with contextlib.ExitStack() as stack:
        for number in range(halves):
            opened = half_an_object(made)
            stack.callback(opened.abort if number % 2 else opened.wire.close)
            stack.callback(peer(made, *(f"1.3.6.1.4.1.9.{n + 1}" for n in range(128))).wire.close)
        refused = 0
        for _ in range(associations):
            try:
                stack.callback(peer(made, VERIFICATION).wire.close)
            except PeerUnreachableError:
                refused += 1
        assert refused < associations


def workers(made: Product) -> dict[int, str]:
    """Return the processes that answer peers, with the name of their program."""
    return {pid: name for name in ("dimse", "web") for pid in children(made.pid(name))}


def until(seconds: float, wanted: Callable[[], object]) -> float:
    """Wait until something is so; return the seconds it took."""
    began = time.monotonic()
    for _ in ticks(seconds):
        if wanted():
            return time.monotonic() - began
    raise AssertionError(f"not so after {seconds} s")


def weather(
    siege: Siege, rounds: int, *, probes: int, associations: int, halves: int
) -> Iterator[tuple[float, dict[str, int]]]:
    """Storm so many rounds; yield each one's seconds to the next stored object, and the KiB that
    a process of each program has grown at most."""
    made = siege.made
    storm(made, probes=probes, associations=associations, halves=halves)  # threads, connections
    siege.wait_serving()
    at_work, before = workers(made), rss_kb(made)
    for _ in range(rounds):
        storm(made, probes=probes, associations=associations, halves=halves)
        began = time.monotonic()
        siege.wait_serving(10)
        took = time.monotonic() - began
        assert workers(made) == at_work  # nobody died of it
        after = rss_kb(made)
        grown: dict[str, int] = {}
        for pid, name in at_work.items():
            grown[name] = max(grown.get(name, 0), after[pid] - before[pid])
        yield took, grown
    until(10, lambda: not siege.orphans())  # halves leave no file
    assert siege.judge().good


def test_a_storm_leaves_nothing_behind(siege: Siege) -> None:
    for _, grown in weather(siege, 1, probes=100, associations=120, halves=4):
        assert max(grown.values()) < 20 << 10  # a hundred threads with their connections, at most


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_a_hundred_and_sixty_storms_leave_nothing_behind(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """So many that what each left behind would be seen."""
    with product() as made:
        made.up()
        siege = Siege(made, made.token())
        siege.wait_serving()
        rounds = list(weather(siege, 160, probes=1000, associations=500, halves=20))
    took = max(took for took, _ in rounds)
    with capsys.disabled():
        say(
            "\n160 storms of 1000 probes, 500 associations, 20 halves: next object stored after at"
            f" most {took:.1f} s; MiB that a process grew, median of each twenty, and most:"
        )
        for name in ("dimse", "web"):
            grown = [each[name] / 1024 for _, each in rounds]
            medians = [statistics.median(grown[n : n + 20]) for n in range(0, 160, 20)]
            say(f"  {name}: {' '.join(f'{one:.1f}' for one in medians)}, {max(grown):.1f}")
            assert max(grown) < 32  # a hundred threads with their connections
            assert grown[9] - max(grown[:6]) < 4  # what is warm stays as it is
