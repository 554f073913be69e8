"""kill -9 in the middle of ingest: what was acknowledged stays, and the service comes back."""

import itertools
import random

import pytest

from pacs_site.up.progress import say
from tests.faults.killing import KILLS, Siege, Tally, outbox_drains, rss_kb, worker_answers
from tests.faults.ledger import sweep
from tests.product import product

pytestmark = [pytest.mark.e2e, pytest.mark.peer]


def besiege(siege: Siege, kills: int, longest: float) -> Tally:
    """Kill one part after another while objects come in; judge after each, and all at the end."""
    made, tally = siege.made, Tally()
    for name, kill in itertools.islice(itertools.cycle(KILLS.items()), kills):
        delay = random.uniform(0.05, longest)
        took = siege.attack(kill, delay=delay)
        verdict = siege.judge()
        assert verdict.good, (name, delay, verdict)
        tally.kills += 1
        tally.recoveries.setdefault(name, []).append(took)
        tally.interrupted += siege.send_again()
        say(f"  {tally.kills}: {name} after {delay:.2f} s, serving again in {took:.1f} s")
    worker_answers(made)
    outbox_drains(made)
    spare = siege.orphans()
    assert sweep(made) >= len(spare)
    assert not siege.orphans()
    tally.swept = len(spare)
    tally.verdict = siege.judge_all()
    assert tally.verdict.good, tally.verdict
    return tally


def test_ten_kills_lose_nothing_acknowledged(siege: Siege) -> None:
    tally = besiege(siege, 10, 0.6)
    assert tally.verdict.acknowledged > 10 * 50


@pytest.mark.prove
@pytest.mark.timeout(7200)
def test_two_hundred_kills_lose_nothing_acknowledged(capsys: pytest.CaptureFixture[str]) -> None:
    with product() as made, capsys.disabled():
        made.up()
        before = rss_kb(made)
        siege = Siege(made, made.token())
        siege.wait_serving()
        tally = besiege(siege, 200, 1.5)
        after = rss_kb(made)
        say(f"\n{tally.words()}")
        say(
            f"processes {len(before)} -> {len(after)}; resident"
            f" {sum(before.values()) >> 10} MiB -> {sum(after.values()) >> 10} MiB"
        )
    assert len(after) <= len(before) + 20  # database connections come and go
