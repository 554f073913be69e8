"""A disk that runs full: nothing half is kept, the sender hears it, and room is used at once."""

import json
import os
from pathlib import Path

import pytest

from pacs_site.up.progress import say
from tests.archive.disks import resize, small_disk
from tests.dimse.installation import Installation
from tests.faults.killing import Siege
from tests.faults.ledger import Ledger, files_of, orphans, samples
from tests.faults.senders import Storescu
from tests.faults.test_power import product_on_a_disk

pytestmark = pytest.mark.peer
MIB = 1 << 20


@pytest.mark.timeout(120)
def test_a_full_archive_refuses_and_takes_again_when_it_has_room(
    installed: Installation, tmp_path: Path
) -> None:
    ledger = Ledger()
    with small_disk(tmp_path / "archive", 16) as disk:
        installed.start(ARCHIVE_URL=disk.as_uri(), ARCHIVE_RESERVE_MB="0")
        Storescu(installed.port, ledger, samples(24, size=724)).run()  # of 1 MiB each
        assert 10 <= len(ledger.acknowledged) < 16
        assert ledger.judge(installed.rows, files_of(disk)).good
        assert not orphans(installed.rows, disk) - elsewhere(installed)
        resize(disk, 64)
        Storescu(installed.port, ledger, ledger.open()).run()
        assert len(ledger.acknowledged) == 24
        assert ledger.judge(installed.rows, files_of(disk)).good
        installed.stop()


def elsewhere(installed: Installation) -> set[str]:
    """Return the keys of what other tests left in the installation's own archive."""
    root = installed.home / "archive"
    return {str(path.relative_to(root)) for path in root.rglob("*.dcm")}


class Ballast:
    """A file that leaves a disk so many MiB."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ballast"

    def leave(self, megabytes: int) -> None:
        """Take all but so much."""
        state = os.statvfs(self.path.parent)
        size = state.f_bavail * state.f_frsize - megabytes * MIB
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT)
        try:
            os.posix_fallocate(descriptor, 0, size)
        finally:
            os.close(descriptor)

    def drop(self) -> None:
        """Give it all back."""
        self.path.unlink()


@pytest.mark.prove
@pytest.mark.e2e
@pytest.mark.timeout(1800)
def test_a_full_disk_loses_nothing_acknowledged(capsys: pytest.CaptureFixture[str]) -> None:
    reserve = 256
    with product_on_a_disk(4096, ARCHIVE_RESERVE_MB=str(reserve)) as (made, disk):
        siege = Siege(made, made.token())
        siege.wait_serving()
        ballast = Ballast(disk.folder)

        ballast.leave(reserve + 24)  # the archive's reserve keeps room for the database
        batch = samples(32, size=724)
        Storescu(made.dicom_port, siege.ledger, batch).run()
        taken = len({one.uid for one in batch} & siege.ledger.acknowledged)
        assert 8 <= taken < 32
        status, body = made.get("/readyz")
        checks = json.loads(body)["checks"]
        assert status == 503
        assert "full" in checks["archive"]
        assert checks["database"] == "ok"
        assert made.get("/accounts/login/")[0] == 200
        ballast.drop()
        first = siege.timed_recovery()
        siege.send_again()
        assert siege.judge().good

        ballast.leave(0)  # somebody else filled it: even the database has no room
        senders = siege.senders()
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(120)
        ballast.drop()
        second = siege.timed_recovery()
        assert siege.judge().good
        siege.send_again()
        verdict = siege.judge()
        assert verdict.good
    with capsys.disabled():
        say(
            f"\ndisk full: {taken} of 32 taken, serving {first:.1f} s after there"
            f" was room; full to the last byte, {second:.1f} s; {verdict.acknowledged} acknowledged"
        )
