"""Any S3: SeaweedFS, MinIO, AWS. `ARCHIVE_URL=s3://KEY:SECRET@host:port/bucket/prefix`.

After a question mark may follow `region`, `scheme` (`http` where a port is given, else `https`) and
`timeout`, the seconds that one answer may take (30).
"""

import datetime
import errno
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import structlog
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from apps.archive.storage.base import (
    CHUNK_BYTES,
    IncomingFile,
    Storage,
    StorageError,
    StorageFullError,
    StorageMissingError,
    StorageTruncatedError,
)
from apps.core import clock

log = structlog.get_logger(__name__)

FAULTS = (BotoCoreError, ClientError, HTTPError, OSError, S3UploadFailedError)
ABSENT = {"404", "NoSuchKey", "NotFound"}
BEYOND_END = {"416", "InvalidRange"}
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
FULL = {"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage", "507"}
INSUFFICIENT = 507  # RFC 4918 11.5
# Large objects go up two parts at a time.
TRANSFER = TransferConfig(
    multipart_threshold=8 << 20, multipart_chunksize=8 << 20, max_concurrency=2
)


def _failure(error: BaseException) -> StorageError:
    if isinstance(error, S3UploadFailedError) and error.__context__:
        error = error.__context__  # boto3 puts what the store said into words
    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code")
        if code in ABSENT:
            return StorageMissingError(reason=str(error))
        if code in BEYOND_END:
            return StorageTruncatedError(reason=str(error))
        if code in FULL or error.response["ResponseMetadata"]["HTTPStatusCode"] == INSUFFICIENT:
            return StorageFullError(reason=str(error))
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return StorageFullError(reason=str(error))
    return StorageError(reason=f"{type(error).__name__}: {error}")


class S3File(IncomingFile):
    """Received into a local temporary file, uploaded by `sync`.

    The object store is durable once it has answered, so nothing local needs to be synced; a
    temporary file has no name and goes with the process.
    """

    far = True

    def __init__(self, storage: "S3Storage", key: str) -> None:
        self.key = key
        self._storage = storage
        try:
            self._file = tempfile.TemporaryFile(dir=storage.spool, buffering=0)  # noqa: SIM115
        except OSError as error:
            raise _failure(error) from error
        self._begun = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes."""
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise _failure(error) from error

    def sync(self) -> None:
        """Upload, in parts where it is large; where that fails, what came can still be read.

        Given a path boto3 sends a part as it reads it; of an open file it holds parts in memory.
        """
        self._begun = True
        try:
            self._storage.client.upload_file(
                f"/proc/self/fd/{self._file.fileno()}",
                self._storage.bucket,
                self._storage.path(self.key),
                Config=TRANSFER,
            )
        except FAULTS as error:
            raise _failure(error) from error
        self._file.close()

    def reread(self, length: int) -> Iterator[bytes]:
        """Yield the first `length` bytes written."""
        try:
            self._file.seek(0)
            while length > 0 and (chunk := self._file.read(min(CHUNK_BYTES, length))):
                length -= len(chunk)
                yield chunk
        except (OSError, ValueError) as error:  # closed: it was uploaded
            raise StorageError(reason=str(error)) from error

    def discard(self) -> None:
        """Close, and remove what may have been uploaded though no answer said so.

        Where the store does not answer that either, the object stays until the sweep.
        """
        self._file.close()
        if self._begun:
            self._begun = False
            try:
                self._storage.remove(self.key)
            except StorageError as error:
                log.warning("archive.discard-failed", key=self.key, error=error.message)


class S3Storage(Storage):
    """A bucket, with a prefix."""

    def __init__(self, name: str, url: str, spool: Path) -> None:
        self.name = name
        self.spool = spool
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        scheme = query.get("scheme", ["http" if parts.port else "https"])[0]
        host = parts.hostname or ""
        self.bucket, _, self.prefix = parts.path.lstrip("/").partition("/")
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=f"{scheme}://{host}:{parts.port}" if parts.port else f"{scheme}://{host}",
            aws_access_key_id=unquote(parts.username or "") or None,
            aws_secret_access_key=unquote(parts.password or "") or None,
            region_name=query.get("region", [os.environ.get("AWS_REGION", "us-east-1")])[0],
            config=Config(
                retries={"total_max_attempts": 3, "mode": "standard"},
                connect_timeout=5,
                read_timeout=float(query.get("timeout", ["30"])[0]),
                max_pool_connections=32,
                s3={"addressing_style": "path"},
            ),
        )

    def path(self, key: str) -> str:
        """Return the object's name in the bucket."""
        return f"{self.prefix}/{key}" if self.prefix else key

    def is_there(self) -> bool:
        """Tell whether the bucket answers."""
        try:
            self.probe()
        except StorageError:
            return False
        return True

    def create(self) -> IncomingFile:
        """Begin a new object."""
        identity = uuid.uuid4().hex
        return S3File(self, f"{clock.now():%Y/%m/%d}/{identity[:2]}/{identity}.dcm")

    def publish(self, keys: Iterable[str]) -> None:
        """Nothing to do: an uploaded object has its name."""

    def open(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield a range of an object in chunks."""
        if length == 0:
            return
        body, got = self._get(key, offset, length), 0
        try:
            for chunk in body.iter_chunks(CHUNK_BYTES):
                got += len(chunk)
                yield chunk
        except FAULTS as error:
            raise _failure(error) from error
        finally:
            body.close()
        if length is not None and got < length:
            raise StorageTruncatedError(key=key)

    def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return a range of an object."""
        return b"".join(self.open(key, offset, length))

    def remove(self, key: str) -> None:
        """Remove an object."""
        try:
            self.client.delete_object(Bucket=self.bucket, Key=self.path(key))
        except FAULTS as error:
            raise _failure(error) from error

    def keys_of(self, day: datetime.date) -> Iterator[str]:
        """Yield the keys under the day's prefix."""
        root = self.path("")
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.path(f"{day:%Y/%m/%d}/")
        )
        try:
            for page in pages:
                for found in page.get("Contents", ()):
                    yield found["Key"].removeprefix(root)
        except FAULTS as error:
            raise _failure(error) from error

    def probe(self) -> None:
        """Ask for the bucket."""
        try:
            self.client.head_bucket(Bucket=self.bucket)
        except FAULTS as error:
            raise _failure(error) from error

    def _get(self, key: str, offset: int, length: int | None) -> Any:
        arguments = {"Bucket": self.bucket, "Key": self.path(key)}
        if offset or length is not None:
            end = "" if length is None else str(offset + length - 1)
            arguments["Range"] = f"bytes={offset}-{end}"
        try:
            return self.client.get_object(**arguments)["Body"]
        except FAULTS as error:
            raise _failure(error) from error
