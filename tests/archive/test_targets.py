"""Where new objects go: the first target with room; one that runs full on the way is left."""

import os
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.archive.incoming import IncomingObject
from apps.archive.storage import StorageFullError, local, storage_named, write_storage
from apps.archive.storage.local import LocalStorage
from apps.core import clock
from tests.archive.disks import small_disk

MIB = 1 << 20


@pytest.fixture
def two(settings, tmp_path):
    """A first target of 8 MiB, a second without bound, a reserve of none."""
    with small_disk(tmp_path / "first", 8) as first:
        settings.ARCHIVE_URL = first.as_uri()
        settings.ARCHIVE_STORAGES = {"second": (tmp_path / "second").as_uri()}
        settings.ARCHIVE_WRITE_TO = ["default", "second"]
        settings.ARCHIVE_RESERVE_MB = 0
        yield first, tmp_path / "second"


def receive(content, piece=MIB):
    incoming = IncomingObject(
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        sop_instance_uid="1.2.3",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
    )
    try:
        for at in range(0, len(content), piece):
            incoming.write(content[at : at + piece])
        return incoming.finish()
    except BaseException:
        incoming.discard()
        raise


def files_below(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_object_in_hand_moves_whole_to_the_next_target(two):
    first, _ = two
    small, large = os.urandom(3 * MIB), os.urandom(7 * MIB)
    assert receive(small).storage == "default"
    staged = receive(large, piece=1_000_003)
    assert staged.storage == "second"
    kept = storage_named("second").read(staged.key)
    assert kept[staged.dataset_offset :] == large
    assert len(kept) == staged.size_bytes
    assert len(files_below(first)) == 1  # the half of it is gone
    assert write_storage().name == "second"  # while the first was found full a moment ago


def test_where_no_target_has_room_nothing_stays(two, settings):
    first, second = two
    settings.ARCHIVE_WRITE_TO = ["default"]
    with pytest.raises(StorageFullError):
        receive(os.urandom(9 * MIB))
    assert not files_below(first)
    assert not files_below(second)
    assert receive(os.urandom(MIB)).storage == "default"  # what fits is still taken


def test_a_target_below_its_reserve_takes_nothing(two, settings):
    settings.ARCHIVE_RESERVE_MB = 9
    assert write_storage().name == "second"
    settings.ARCHIVE_WRITE_TO = ["default"]
    with pytest.raises(StorageFullError):
        write_storage()
    with pytest.raises(StorageFullError):
        receive(b"12345678")


def test_a_storage_that_nobody_named_is_a_clear_error(settings):
    with pytest.raises(ImproperlyConfigured, match="no storage is called tape"):
        storage_named("tape")
    settings.ARCHIVE_STORAGES = {"tape": "ftp://x"}
    with pytest.raises(ImproperlyConfigured, match="storage tape begins with file: or s3:"):
        storage_named("tape")


def test_a_folder_of_another_process_is_made_durable_before_it_is_used(tmp_path, monkeypatch):
    synced = []
    sync = local._sync_folder
    monkeypatch.setattr(local, "_sync_folder", lambda path: (synced.append(path), sync(path)))
    monkeypatch.setattr(local.uuid, "uuid4", lambda: UUID(int=1 << 127))
    day = tmp_path / f"{clock.now():%Y/%m/%d}"
    (day / "80").mkdir(parents=True)  # made by another process, which has not synced it yet
    storage = LocalStorage("default", tmp_path)
    storage.create().discard()
    assert synced == [str(one) for one in (tmp_path, day.parent.parent, day.parent, day)]
    storage.create().discard()
    assert len(synced) == 4  # once known to be durable, it costs nothing
