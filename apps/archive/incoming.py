"""Receiving one object: its data set streamed to storage, hashed and looked into on the way."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from apps.archive.part10 import file_header
from apps.archive.storage import IncomingFile, Storage, storage_named, write_storage

HEAD_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Staged:
    """An object on storage that no row names yet.

    Attributes:
        head: the first bytes of the data set, enough for the index of nearly every object.
        dataset_bytes: the length of the whole data set.
    """

    storage: str
    key: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    digest: str
    dataset_offset: int
    dataset_bytes: int
    head: bytes

    @property
    def size_bytes(self) -> int:
        """Length of the file."""
        return self.dataset_offset + self.dataset_bytes


class IncomingObject:
    """A data set being received.

    Usage: `write` its bytes as they come, then `finish`, which returns once the content is durable;
    `discard` where it did not come whole. Memory holds its first `HEAD_BYTES` only.
    """

    def __init__(
        self,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        source_ae_title: str = "",
    ) -> None:
        self._uids = (sop_class_uid, sop_instance_uid, transfer_syntax_uid)
        self._storage = write_storage()
        self._file: IncomingFile = self._storage.create()
        self._digest = hashlib.sha256()
        self._head = bytearray()
        self._bytes = 0
        header = file_header(
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid,
            transfer_syntax_uid=transfer_syntax_uid,
            source_ae_title=source_ae_title,
        )
        self._offset = len(header)
        self._file.write(header)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes of the data set.

        Raises:
            StorageError: no room, or a fault; call `discard`.
        """
        self._file.write(data)
        self._digest.update(data)
        self._bytes += len(data)
        if len(self._head) < HEAD_BYTES:
            self._head += data[: HEAD_BYTES - len(self._head)]

    def finish(self) -> Staged:
        """Make the content durable and return what was received.

        The file's name becomes durable with `publish_staged`, once for many objects.

        Raises:
            StorageError: it could not be made durable; call `discard`.
        """
        self._file.sync()
        sop_class_uid, sop_instance_uid, transfer_syntax_uid = self._uids
        return Staged(
            storage=self._storage.name,
            key=self._file.key,
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid,
            transfer_syntax_uid=transfer_syntax_uid,
            digest=self._digest.hexdigest(),
            dataset_offset=self._offset,
            dataset_bytes=self._bytes,
            head=bytes(self._head),
        )

    def discard(self) -> None:
        """Remove what came so far."""
        self._file.discard()


def publish_staged(batch: Iterable[Staged]) -> None:
    """Make the names of staged objects durable: one fsync a folder.

    Raises:
        StorageError: it failed; nothing of the batch may be acknowledged.
    """
    by_storage: dict[str, list[str]] = {}
    for staged in batch:
        by_storage.setdefault(staged.storage, []).append(staged.key)
    for name, keys in by_storage.items():
        storage: Storage = storage_named(name)
        storage.publish(keys)


def discard_staged(staged: Staged) -> None:
    """Remove a staged object that no row names."""
    storage_named(staged.storage).remove(staged.key)
