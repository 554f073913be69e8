"""An S3 that is slow, refuses, breaks off or is full: nothing is taken for stored that is not."""

import os
import time
from dataclasses import replace

import pytest

from apps.archive.incoming import IncomingObject, publish_staged
from apps.archive.reading import Copy, stream
from apps.archive.storage import (
    StorageError,
    StorageFullError,
    StorageMissingError,
    storage_named,
)
from tests.archive.disks import small_disk
from tests.archive.faults import Fault, proxy
from tests.archive.test_storage import MIB, write
from tests.seaweed import object_store

TRIES = 3
SMALL, IN_PARTS = MIB, 17 * MIB


@pytest.fixture
def between(s3_server):
    with proxy(s3_server.port) as made:
        yield made


@pytest.fixture
def storage(s3_server, between, settings, tmp_path):
    settings.ARCHIVE_URL = s3_server.url(port=between.port, timeout="10")
    settings.ARCHIVE_SPOOL = tmp_path / "spool"
    settings.ARCHIVE_STORAGES = {"second": (tmp_path / "second").as_uri()}
    settings.ARCHIVE_RESERVE_MB = 0
    return storage_named("default")


@pytest.fixture
def impatient(s3_server, between, settings, storage):
    """The same, with less patience."""
    settings.ARCHIVE_URL = s3_server.url(port=between.port, timeout="0.3")
    return storage_named("default")


@pytest.fixture
def stored(s3_server, settings):
    """What the store really holds, seen past the proxy."""
    return lambda: s3_server.keys(settings.ARCHIVE_URL)


def receive(size):
    incoming = IncomingObject(
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        sop_instance_uid="1.2.3",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
    )
    content = os.urandom(size)
    try:
        for at in range(0, size, MIB):
            incoming.write(content[at : at + MIB])
        staged = incoming.finish()
        publish_staged([staged])
    except BaseException:
        incoming.discard()
        raise
    return content, staged


FAULTS = {
    "an error": Fault(status=500),
    "too busy": Fault(status=503, code="SlowDown"),
    "broken off as it is sent": Fault(cut="request"),
}


def refused(between, size):
    """Try to store what the store does not take; return how often it was asked to."""
    with pytest.raises(StorageError) as caught:
        receive(size)
    assert not isinstance(caught.value, StorageFullError)
    assert "send it again later" in caught.value.message
    assert caught.value.details["reason"]
    between.fault = None
    return sum(one.startswith("PUT") for one in between.seen)


@pytest.mark.parametrize("size", [SMALL, IN_PARTS])
@pytest.mark.parametrize("kind", FAULTS)
def test_what_is_not_stored_is_not_taken(storage, between, stored, size, kind):
    between.fault = replace(FAULTS[kind], method="PUT")
    assert refused(between, size) <= TRIES * (1 if size == SMALL else 3)  # parts of 8 MiB
    assert stored() == []
    assert list(storage.spool.iterdir()) == []


def test_a_store_that_does_not_answer_is_not_waited_for(impatient, between, stored):
    between.fault = Fault("PUT", silent=True)
    began = time.monotonic()
    assert refused(between, SMALL) <= TRIES
    assert time.monotonic() - began < 20
    assert stored() == []


@pytest.mark.parametrize("size", [SMALL, IN_PARTS])
@pytest.mark.parametrize("kind", FAULTS)
def test_what_passes_by_is_tried_again(storage, between, stored, kind, size):
    between.fault = replace(FAULTS[kind], method="PUT", times=1)
    content, staged = receive(size)
    assert between.fault.met == 1
    assert stored() == [staged.key]
    assert storage.read(staged.key, staged.dataset_offset, size) == content


def test_an_upload_that_is_never_completed_leaves_nothing_half(storage, between, stored, s3_server):
    """All parts are there. What a failed upload began is given up, so that it takes no room."""
    before = s3_server.uploads()
    between.fault = Fault("POST", 500, where="uploadId")
    with pytest.raises(StorageError):
        receive(IN_PARTS)
    assert stored() == []
    assert s3_server.uploads() == before


def test_an_answer_that_is_lost_leaves_nothing_that_counts(storage, between, stored):
    """The store has it and the answer never comes: it is not taken, and removed again."""
    between.fault = Fault("PUT", cut="answer")
    try:
        receive(SMALL)
    except StorageError:
        assert stored() == []
    else:
        assert len(stored()) == 1


def test_a_full_store_hands_over_to_the_next(storage, between, stored, settings):
    settings.ARCHIVE_WRITE_TO = ["default", "second"]
    between.fault = Fault("PUT", 507, "XMinioStorageFull")
    content, staged = receive(SMALL)
    assert staged.storage == "second"
    assert storage_named("second").read(staged.key, staged.dataset_offset, SMALL) == content
    between.fault = None
    assert stored() == []
    settings.ARCHIVE_WRITE_TO = ["default"]
    between.fault = Fault("PUT", 507, "XMinioStorageFull")
    with pytest.raises(StorageFullError, match="storage is full"):
        receive(SMALL)


def test_a_spool_without_room_refuses(storage, stored, settings, tmp_path):
    with small_disk(tmp_path / "small", 2) as spool:
        settings.ARCHIVE_SPOOL = spool
        with pytest.raises(StorageFullError):
            receive(3 * MIB)
        assert stored() == []


@pytest.mark.parametrize("fault", [Fault("GET", 500), Fault("GET", cut="answer")])
def test_a_read_that_fails_is_never_short(storage, between, fault):
    key = write(storage, content := os.urandom(3 * MIB))
    between.fault = replace(fault)
    with pytest.raises(StorageError) as caught:
        storage.read(key, 0, 3 * MIB)
    assert not isinstance(caught.value, StorageMissingError)
    second = write(storage_named("second"), content)
    copies = [Copy("default", key), Copy("second", second)]
    assert b"".join(stream(copies, 0, 3 * MIB)) == content
    assert storage.recently_down


def test_a_store_that_is_gone_is_not_there(storage, between, settings):
    key = write(storage, b"1")
    between.fault = Fault(status=503)
    assert not storage.is_there()
    with pytest.raises(StorageError):
        storage.probe()
    with pytest.raises(StorageError):
        storage.remove(key)
    settings.ARCHIVE_URL = "s3://a:b@127.0.0.1:9/none"
    with pytest.raises(StorageError, match="did not answer"):
        storage_named("default").probe()


def test_a_store_whose_disk_is_full_takes_nothing_half(settings, tmp_path):
    """SeaweedFS itself on a disk of 64 MB: what it took stays whole, what it refuses is refused."""
    settings.ARCHIVE_SPOOL = tmp_path / "spool"
    settings.ARCHIVE_RESERVE_MB = 0
    with small_disk(tmp_path / "disk", 64) as disk, object_store(disk) as store:
        settings.ARCHIVE_URL = store.url()
        storage = storage_named("default")
        taken = []
        with pytest.raises(StorageError) as caught:
            while len(taken) < 12:
                taken.append(receive(9 * MIB))
        assert caught.value.details["reason"]
        assert taken
        assert sorted(store.keys(settings.ARCHIVE_URL)) == sorted(one.key for _, one in taken)
        for content, staged in taken:
            assert storage.read(staged.key, staged.dataset_offset, len(content)) == content
