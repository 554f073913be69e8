"""Where bytes lie. One interface; local files or any S3 behind it, chosen by its address."""

from apps.archive.storage.base import (
    IncomingFile,
    Storage,
    StorageError,
    StorageFullError,
    StorageMissingError,
    StorageTruncatedError,
)
from apps.archive.storage.registry import (
    copy_targets,
    storage_named,
    storages,
    write_storage,
    write_targets,
)

__all__ = [
    "IncomingFile",
    "Storage",
    "StorageError",
    "StorageFullError",
    "StorageMissingError",
    "StorageTruncatedError",
    "copy_targets",
    "storage_named",
    "storages",
    "write_storage",
    "write_targets",
]
