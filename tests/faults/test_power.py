"""A power cut: what was not synced is gone, what was acknowledged is not."""

import contextlib
import hashlib
import os
import random
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.archive.incoming import Staged, publish_staged
from apps.archive.storage import storage_named
from pacs_site.up.progress import say
from pacs_site.up.supervision import marked, ticks
from tests.archive.disks import Ext4, ext4_disk
from tests.factories.dicom import stage
from tests.faults.killing import Siege
from tests.faults.ledger import samples
from tests.product import Product, product


def holds(staged: Staged) -> bool:
    """Whether a staged object is there as it was sent."""
    path = Path(str(storage_named(staged.storage).local_path(staged.key)))
    if not path.is_file():
        return False
    content = path.read_bytes()[staged.dataset_offset :]
    return hashlib.sha256(content).hexdigest() == staged.digest


def test_what_is_published_outlives_a_power_cut_and_the_rest_does_not(
    settings: Any, tmp_path: Path
) -> None:
    with ext4_disk(tmp_path / "disk", tmp_path / "archive", 64) as disk:
        settings.ARCHIVE_URL = disk.folder.as_uri()
        settings.ARCHIVE_RESERVE_MB = 0
        synced = [stage(one.part10) for one in samples(20)]
        publish_staged(synced)
        begun = Path(str(storage_named("default").local_path(synced[0].key))).with_name("begun")
        begun.write_bytes(b"never synced" * 1000)
        disk.cut_power()
        with pytest.raises(OSError, match="Input/output error"):
            begun.with_name("later").write_bytes(b"x")
        disk.remount()
        assert all(holds(one) for one in synced)
        assert not begun.exists()  # or the cut would prove nothing


@contextlib.contextmanager
def product_on_a_disk(megabytes: int, **changes: str) -> Iterator[tuple[Product, Ext4]]:
    """Give a product that runs with its whole home on a disk of its own."""
    with product(**changes) as made:
        image = Path(tempfile.mkdtemp(prefix="isocenter-disk-")) / "image"
        try:
            with ext4_disk(image, made.home, megabytes) as disk:
                made.home.chmod(0o711)
                try:
                    made.up()
                    yield made, disk
                finally:
                    made.down()
        finally:
            image.parent.rmdir()


def lights_out(made: Product, disk: Ext4) -> None:
    """Cut the power of the disk, and with it every process."""
    disk.cut_power()
    mark = f"ISOCENTER_SUPERVISED={made.home}"
    ended: set[int] = set()
    for _ in ticks(30):
        pids = disk.users().union(marked(mark))
        ended |= pids
        # no number of theirs is left either: PostgreSQL takes even a zombie for its predecessor
        if not pids and not any(Path(f"/proc/{pid}").exists() for pid in ended):
            break
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    disk.remount()


@pytest.mark.prove
@pytest.mark.e2e
@pytest.mark.peer
@pytest.mark.timeout(3600)
def test_ten_power_cuts_lose_nothing_acknowledged(capsys: pytest.CaptureFixture[str]) -> None:
    took, unsynced = [], 0
    with product_on_a_disk(3072) as (made, disk), capsys.disabled():
        siege = Siege(made, made.token())
        for cut in range(10):
            siege.turn_page()
            senders = siege.senders()
            for sender in senders:
                sender.start()
            time.sleep(random.uniform(0.1, 1.5))
            witness = made.home / f"witness-{cut}"
            witness.write_bytes(b"never synced")
            lights_out(made, disk)
            for sender in senders:
                sender.join(120)
            unsynced += not (witness.exists() and witness.read_bytes())
            began = time.monotonic()
            made.up()
            siege.wait_serving()
            took.append(time.monotonic() - began)
            verdict = siege.judge()
            assert verdict.good, verdict
            say(f"  {cut + 1}: {verdict.acknowledged} acknowledged, up in {took[-1]:.0f} s")
            siege.send_again()
        verdict = siege.judge_all()
        assert verdict.good, verdict
        say(
            f"\n10 power cuts, {verdict.acknowledged} objects acknowledged, 0 lost; from power to"
            f" serving median {statistics.median(took):.0f} s, max {max(took):.0f} s"
        )
    assert unsynced >= 9  # or the cuts prove nothing
