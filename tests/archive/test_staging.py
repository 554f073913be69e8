"""Many files of one request: each durable before it is given on, together rather than in turn."""

import threading
from pathlib import Path

import pytest

from apps.archive.incoming import SYNCED_AT_ONCE, stage_each
from apps.archive.storage import StorageError, storage_named
from apps.archive.storage.local import LocalFile
from tests.archive.test_targets import files_below
from tests.factories.dicom import as_file, ct_slice, dataset_bytes

WAIT_S = 20.0


@pytest.fixture
def archive(settings, tmp_path) -> Path:
    settings.ARCHIVE_URL = tmp_path.as_uri()
    settings.ARCHIVE_RESERVE_MB = 0
    return tmp_path


def in_pieces(content: bytes):
    return (content[at : at + 100] for at in range(0, len(content), 100))


def test_files_come_out_in_order_whole_and_synced(archive, monkeypatch):
    synced = set()
    sync = LocalFile.sync

    def noted(self):
        sync(self)
        synced.add(self.key)

    monkeypatch.setattr(LocalFile, "sync", noted)
    sent = [as_file(ct_slice(number=n)) for n in range(SYNCED_AT_ONCE + 3)]
    sent[2] = b"no DICOM" * 100
    got = []
    for staged in stage_each(in_pieces(content) for content in sent):
        assert staged is None or staged.key in synced
        got.append(
            staged and storage_named(staged.storage).read(staged.key)[staged.dataset_offset :]
        )
    assert got == [None if n == 2 else dataset_bytes(c) for n, c in enumerate(sent)]


def test_two_wait_for_the_disk_at_the_same_time(archive, monkeypatch):
    both = threading.Barrier(2)
    sync = LocalFile.sync

    def meeting(self):
        both.wait(WAIT_S)  # alone it would never go on
        sync(self)

    monkeypatch.setattr(LocalFile, "sync", meeting)
    staged = list(stage_each(in_pieces(as_file(ct_slice(number=n))) for n in range(2)))
    assert len({one.key for one in staged}) == 2


def test_where_the_body_breaks_off_nothing_stays(archive):
    def body():
        for n in range(3):
            yield in_pieces(as_file(ct_slice(number=n)))
        raise ConnectionError

    with pytest.raises(ConnectionError):
        list(stage_each(body()))
    assert not files_below(archive)


def test_one_that_cannot_be_synced_fails_and_takes_the_waiting_ones_along(archive, monkeypatch):
    sync, count = LocalFile.sync, iter(range(9))

    def failing(self):
        if next(count) == 1:
            raise StorageError
        sync(self)

    monkeypatch.setattr(LocalFile, "sync", failing)
    taken = []
    with pytest.raises(StorageError):
        taken.extend(
            staged.key
            for staged in stage_each(in_pieces(as_file(ct_slice(number=n))) for n in range(4))
        )
    assert sorted(str(p.relative_to(archive)) for p in files_below(archive)) == sorted(taken)
