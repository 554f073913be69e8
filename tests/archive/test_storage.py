"""What every storage keeps, shown for local files and for a real S3."""

import hashlib
import os

import pytest

from apps.archive.storage import (
    StorageMissingError,
    StorageTruncatedError,
    storage_named,
    storages,
)
from apps.core import clock

MIB = 1 << 20


@pytest.fixture(params=["file", "s3"])
def storage(request, settings, tmp_path):
    if request.param == "s3":
        settings.ARCHIVE_URL = request.getfixturevalue("s3_server").url()
        settings.ARCHIVE_SPOOL = tmp_path / "spool"
    else:
        settings.ARCHIVE_URL = (tmp_path / "archive").as_uri()
    return storage_named("default")


def write(storage, content, piece=300_000):
    file = storage.create()
    for at in range(0, len(content), piece):
        file.write(memoryview(content)[at : at + piece])
    file.sync()
    storage.publish([file.key])
    return file.key


def test_what_is_written_is_read_whole_and_by_range(storage):
    content = os.urandom(3 * MIB + 11)
    key = write(storage, content)
    assert storage.read(key) == content
    assert b"".join(storage.open(key)) == content
    for offset, length in ((0, 1), (5, 2 * MIB), (len(content) - 7, 7), (MIB, 0)):
        assert storage.read(key, offset, length) == content[offset : offset + length]
        assert b"".join(storage.open(key, offset, length)) == content[offset : offset + length]
    assert b"".join(storage.open(key, 3 * MIB)) == content[3 * MIB :]
    assert all(len(chunk) <= MIB for chunk in storage.open(key))


def test_an_empty_file_is_a_file(storage):
    key = write(storage, b"")
    assert storage.read(key) == b""
    assert list(storage.open(key)) == []


def test_a_large_file_goes_up_in_parts_and_comes_back(storage):
    block = os.urandom(MIB)
    digest = hashlib.sha256()
    file = storage.create()
    for _ in range(21):
        file.write(block)
        digest.update(block)
    file.write(b"and a rest")
    digest.update(b"and a rest")
    file.sync()
    storage.publish([file.key])
    back = hashlib.sha256()
    for chunk in storage.open(file.key):
        back.update(chunk)
    assert back.digest() == digest.digest()
    assert storage.read(file.key, 21 * MIB, 10) == b"and a rest"


def test_missing_and_short_are_told_apart(storage):
    with pytest.raises(StorageMissingError):
        storage.read("2026/01/01/aa/none.dcm", 0, 1)
    with pytest.raises(StorageMissingError):
        list(storage.open("2026/01/01/aa/none.dcm"))
    key = write(storage, b"0123456789")
    for offset, length in ((5, 6), (10, 1), (50, 1)):
        with pytest.raises(StorageTruncatedError):
            storage.read(key, offset, length)
        with pytest.raises(StorageTruncatedError):
            list(storage.open(key, offset, length))
    assert storage.size_of(key) in (10, None)


def test_what_is_removed_or_given_up_is_gone(storage):
    today = clock.now().date()
    key = write(storage, b"1")
    assert list(storage.keys_of(today)) == [key]
    given_up, too_late = storage.create(), storage.create()
    given_up.write(b"half")
    given_up.discard()
    given_up.discard()
    too_late.write(b"whole, and then the database failed")
    too_late.sync()
    too_late.discard()
    assert list(storage.keys_of(today)) == [key]
    storage.remove(key)
    storage.remove(key)
    assert list(storage.keys_of(today)) == []
    with pytest.raises(StorageMissingError):
        storage.read(key, 0, 1)


def test_what_came_so_far_can_be_read_again(storage):
    content = os.urandom(2 * MIB + 3)
    file = storage.create()
    file.write(content)
    assert b"".join(file.reread(len(content))) == content
    assert b"".join(file.reread(10)) == content[:10]
    file.discard()


def test_it_says_that_it_is_there(storage):
    write(storage, b"1")
    storage.probe()
    assert storage.is_there()
    assert storage.has_room()
    assert [one.name for one in storages()] == ["default"]
