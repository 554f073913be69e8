"""Several threads record through one committer, which commits what is durable and nothing else."""

import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from apps.archive.models import Location
from apps.archive.storage import StorageFullError, local
from apps.core.uids import new_uid
from apps.dimse.committer import Committer, Durable
from tests.dimse.servers import Server
from tests.factories.dicom import as_file, ct_slice

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 8


def test_nothing_is_recorded_before_all_of_its_batch_is_synced():
    synced: set[int] = set()
    batches: list[int] = []
    first = threading.Event()

    def record(batch: Sequence[int], durable: Durable) -> list[int]:
        if not batches:
            first.wait(20)  # meanwhile the others gather
        durable()
        assert synced.issuperset(batch)
        batches.append(len(batch))
        return [-item for item in batch]

    committer = Committer(record)
    met = threading.Barrier(THREADS)

    def sync(item: int) -> None:
        synced.add(item)
        if len(synced) == THREADS - 1:  # all but the leader's own, whose batch waits
            first.set()

    def one(item: int) -> int:
        met.wait()
        return committer.record(item, lambda: sync(item))

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(one, range(THREADS))) == [-item for item in range(THREADS)]
    assert sum(batches) == THREADS
    assert len(batches) < THREADS


def test_who_cannot_be_synced_fails_alone():
    recorded: list[int] = []
    met = threading.Barrier(THREADS)

    def record(batch: Sequence[int], durable: Durable) -> Sequence[int]:
        durable()
        recorded.extend(batch)
        return batch

    committer = Committer(record)

    def sync(item: int) -> None:
        if item == 3:
            raise OSError("no room for 3")

    def one(item: int) -> int | str:
        met.wait()
        try:
            return committer.record(item, lambda: sync(item))
        except OSError as error:
            return str(error)

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(one, range(THREADS)))
    assert results == [item if item != 3 else "no room for 3" for item in range(THREADS)]
    assert sorted(recorded) == [item for item in range(THREADS) if item != 3]


@pytest.mark.peer
def test_a_storage_found_full_only_when_it_is_synced_is_left_for_the_next(
    server: Server,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dcmtk: Callable[[str], str],
) -> None:
    """Network file systems tell so late: the database works on rows that name the wrong place."""
    first, second, sent = (tmp_path / name for name in ("first", "second", "sent"))
    settings.ARCHIVE_URL = first.as_uri()
    settings.ARCHIVE_STORAGES = {"second": second.as_uri()}
    settings.ARCHIVE_WRITE_TO = ["default", "second"]
    settings.ARCHIVE_RESERVE_MB = 0
    sync, failed = local.LocalFile.sync, []

    def late(file: local.LocalFile) -> None:
        if Path(file._path).is_relative_to(first):
            failed.append(file.key)
            raise StorageFullError
        sync(file)

    monkeypatch.setattr(local.LocalFile, "sync", late)
    monkeypatch.setattr(local.LocalStorage, "note_full", lambda storage: None)  # full only then
    sent.mkdir()
    study, series = new_uid(), new_uid()
    for number in (1, 2):  # the first goes the general way, the second the quick one
        content = as_file(ct_slice(study=study, series=series, number=number))
        (sent / f"{number}.dcm").write_bytes(content)
    us = ("127.0.0.1", str(server.port))
    subprocess.run([dcmtk("storescu"), "-aec", "ISOCENTER", "+sd", *us, str(sent)], check=True)
    assert len(failed) == 2
    locations = Location.objects.order_by("pk")
    assert [location.storage for location in locations] == ["second", "second"]
    there = {str(path.relative_to(second)) for path in second.rglob("*.dcm")}
    assert there == {location.key for location in locations}
    assert not list(first.rglob("*.dcm"))
