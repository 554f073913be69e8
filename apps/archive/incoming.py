"""Receiving one object: its data set streamed to storage, hashed and looked into on the way."""

import contextlib
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from apps.archive.part10 import file_header, read_file_meta, uids_within
from apps.archive.storage import (
    IncomingFile,
    Storage,
    StorageError,
    StorageFullError,
    storage_named,
    write_targets,
)

log = structlog.get_logger(__name__)
Bytes = bytes | bytearray | memoryview

HEAD_BYTES = 64 * 1024
TAIL_BYTES = 8
META_BYTES = 64 * 1024
UIDS_WITHIN = 4096
SYNCED_AT_ONCE = 8
LATE_BYTES = 1 << 20  # that wait to be hashed
SHORT_BYTES = 8 << 20  # of an object whose sync a transaction may wait for


@dataclass(frozen=True, slots=True)
class Staged:
    """An object on storage that no row names yet.

    Attributes:
        head: the first bytes of the data set, enough for the index of nearly every object.
        tail: its last bytes, by which fragments tell that they ended.
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
    tail: bytes

    @property
    def size_bytes(self) -> int:
        """Length of the file."""
        return self.dataset_offset + self.dataset_bytes


class IncomingObject:
    """A data set being received.

    Usage: `write` its bytes as they come, then `finish`, which returns once the content is durable,
    or `end` and, before anything is acknowledged, `sync`; `discard` where it did not come whole.
    Memory holds its first `HEAD_BYTES` only. Where its storage runs full on the way, what came so
    far is carried to the next write target.
    """

    def __init__(
        self,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        source_ae_title: str = "",
        synced_beside: bool = False,
    ) -> None:
        """Begin a file in the first write target that has room.

        Args:
            sop_class_uid: as the sender says.
            sop_instance_uid: as the sender says.
            transfer_syntax_uid: of the data set.
            source_ae_title: of group 2.
            synced_beside: another thread calls `sync`, and may hash what was written last; what is
                written must not change afterwards.
        """
        self._uids = (sop_class_uid, sop_instance_uid, transfer_syntax_uid)
        self._storage, self._file = _begin()
        self._written = 0
        self._digest = hashlib.sha256()
        self._unhashed: list[Bytes] = []
        self._hash_at = LATE_BYTES if synced_beside else 0
        self._head = bytearray()
        self._tail = b""
        self._bytes = 0
        self._durable = False
        header = file_header(
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid,
            transfer_syntax_uid=transfer_syntax_uid,
            source_ae_title=source_ae_title,
        )
        self._offset = len(header)
        try:
            self._put(header)
        except BaseException:
            self.discard()
            raise

    def write(self, data: Bytes) -> None:
        """Append bytes of the data set.

        Raises:
            StorageError: no room, or a fault; call `discard`.
        """
        self._put(data)
        self._unhashed.append(data)
        self._bytes += len(data)
        if self._bytes >= self._hash_at:
            self._hash()
        if len(self._head) < HEAD_BYTES:
            self._head += data[: HEAD_BYTES - len(self._head)]
        last = bytes(data[-TAIL_BYTES:])
        self._tail = last if len(last) == TAIL_BYTES else (self._tail + last)[-TAIL_BYTES:]

    def finish(self) -> Staged:
        """Make the content durable and return what was received.

        The file's name becomes durable with `publish_staged`, once for many objects.

        Raises:
            StorageError: it could not be made durable; call `discard`.
        """
        self.sync()
        return self.staged()

    def end(self) -> None:
        """Take note that all has come: what takes long to make durable, nobody else waits for.

        Raises:
            StorageError: it could not be made durable; call `discard`.
        """
        if self._file.far or self._bytes > SHORT_BYTES:
            self.sync()

    def _hash(self) -> None:
        for data in self._unhashed:
            self._digest.update(data)
        self._unhashed.clear()

    def sync(self) -> None:
        """Make the content durable, once; `staged` may name another place afterwards.

        Raises:
            StorageError: it could not be made durable; call `discard`.
        """
        if self._durable:
            return
        self._hash()
        try:
            self._file.sync()
        except StorageFullError:  # some file systems find out only now
            self._carry_over()
            self._file.sync()
        self._durable = True

    def staged(self) -> Staged:
        """Return what was received and where it is."""
        self._hash()
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
            tail=self._tail,
        )

    def discard(self) -> None:
        """Remove what came so far."""
        self._file.discard()

    def discard_unless_durable(self) -> None:
        """Remove what no commit can have named yet."""
        if not self._durable:
            self.discard()

    def _put(self, data: Bytes) -> None:
        while True:
            try:
                self._file.write(data)
            except StorageFullError:
                self._carry_over()
            else:
                self._written += len(data)
                return

    def _carry_over(self) -> None:
        """Go on in the next write target that has room for what came so far.

        Raises:
            StorageFullError: no target has; what came so far is for `discard`.
            StorageError: what was written cannot be read back as it was.
        """
        full = [self._storage]
        while True:
            full[-1].note_full()
            storage, file = _begin(full)
            try:
                self._copy_to(file)
                break
            except StorageFullError:
                file.discard()
                full.append(storage)
            except BaseException:
                file.discard()
                raise
        log.warning("archive.target-full", full=self._storage.name, next=storage.name)
        self._file.discard()
        self._storage, self._file = storage, file

    def _copy_to(self, file: IncomingFile) -> None:
        """Write what came so far into another file, and prove that it is the same."""
        self._hash()
        digest, skip = hashlib.sha256(), self._offset
        for chunk in self._file.reread(self._written):
            file.write(chunk)
            digest.update(chunk[skip:])
            skip = max(skip - len(chunk), 0)
        if digest.digest() != self._digest.digest():
            message = "What was written to the full storage cannot be read back. Send it again."
            raise StorageError(message)


def stage_part10(chunks: Iterator[Bytes]) -> Staged | None:
    """Stage the data set of a Part 10 file; None where it is no such file, read thus far.

    It goes by the UIDs that stand in the data set; group 2 has them where that says nothing.

    Raises:
        StorageError: the archive could not take it; what came is removed.
    """
    incoming = _part10_received(chunks)
    return _finished(incoming) if incoming else None


def stage_each(files: Iterable[Iterator[Bytes]]) -> Iterator[Staged | None]:
    """Stage Part 10 files as they come, in order; None for what is no such file.

    Up to `SYNCED_AT_ONCE` wait for the disk together while the next is received: it syncs many
    files in little more time than one. Where it does not come to its end, what waits is removed.

    Raises:
        StorageError: the archive could not take one; what came of it is removed.
    """
    syncing: deque[Future[Staged] | None] = deque()
    with ThreadPoolExecutor(SYNCED_AT_ONCE, thread_name_prefix="sync") as pool:
        try:
            for chunks in files:
                incoming = _part10_received(chunks)
                for _ in chunks:
                    pass  # of what is no such file
                syncing.append(pool.submit(_finished, incoming) if incoming else None)
                if len(syncing) > SYNCED_AT_ONCE:
                    yield _result(syncing)
            while syncing:
                yield _result(syncing)
        except BaseException:
            for future in filter(None, syncing):
                with contextlib.suppress(StorageError):  # removed already
                    discard_staged(future.result())
            raise


def _result(syncing: deque[Future[Staged] | None]) -> Staged | None:
    future = syncing.popleft()
    return future.result() if future else None


def _part10_received(chunks: Iterator[Bytes]) -> IncomingObject | None:
    """Write the data set of a Part 10 file to storage; None where it is no such file."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= META_BYTES:
            break
    meta = read_file_meta(head)
    if meta is None:
        return None
    beginning = head[meta.dataset_offset : meta.dataset_offset + UIDS_WITHIN]
    sop_class_uid, sop_instance_uid = uids_within(beginning, meta.transfer_syntax_uid)
    incoming = IncomingObject(
        sop_class_uid=sop_class_uid or meta.sop_class_uid,
        sop_instance_uid=sop_instance_uid or meta.sop_instance_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        synced_beside=True,
    )
    try:
        incoming.write(memoryview(head)[meta.dataset_offset :])
        for chunk in chunks:
            incoming.write(chunk)
    except BaseException:
        incoming.discard()
        raise
    return incoming


def _finished(incoming: IncomingObject) -> Staged:
    try:
        return incoming.finish()
    except BaseException:
        incoming.discard()
        raise


def _begin(full: Sequence[Storage] = ()) -> tuple[Storage, IncomingFile]:
    """Begin a file in the first write target that has room and is not among the full ones.

    Raises:
        StorageFullError: none has.
    """
    for storage in write_targets():
        if storage not in full:
            try:
                return storage, storage.create()
            except StorageFullError:
                storage.note_full()
    raise StorageFullError


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
