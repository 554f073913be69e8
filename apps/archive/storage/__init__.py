"""Where bytes lie. One interface; local files or any S3 behind it, chosen by `ARCHIVE_URL`."""

from apps.archive.storage.base import IncomingFile, Storage, StorageError, StorageFullError
from apps.archive.storage.registry import storage_named, write_storage

__all__ = [
    "IncomingFile",
    "Storage",
    "StorageError",
    "StorageFullError",
    "storage_named",
    "write_storage",
]
