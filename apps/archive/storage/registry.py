"""The storages of this installation by name, and which of them takes what is new.

`ARCHIVE_URL` is the storage `default`; `ARCHIVE_STORAGES` names more, `second=file:///mnt/second
cloud=s3://KEY:SECRET@host/bucket`. `ARCHIVE_WRITE_TO` says in which order they take new objects:
the first that has room. `ARCHIVE_COPY_TO` says which of them keep a copy of everything.
"""

from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.archive.storage.base import Storage, StorageFullError
from apps.archive.storage.local import LocalStorage

DEFAULT = "default"


def storage_urls() -> dict[str, str]:
    """Return the address of every storage by name."""
    return {DEFAULT: settings.ARCHIVE_URL, **settings.ARCHIVE_STORAGES}


def storages() -> list[Storage]:
    """Return every storage, `default` first."""
    return [storage_named(name) for name in storage_urls()]


def write_targets() -> list[Storage]:
    """Return the storages that have room for new objects, in the order in which they are tried.

    One that a write found full a moment ago, though its file system still says that it has room,
    comes last: what did not fit may have been large.
    """
    named = [storage_named(name) for name in settings.ARCHIVE_WRITE_TO]
    return sorted(
        (storage for storage in named if storage.has_room()),
        key=lambda storage: storage.recently_full,
    )


def copy_targets() -> list[Storage]:
    """Return the storages that keep a copy of everything."""
    return [storage_named(name) for name in settings.ARCHIVE_COPY_TO]


def write_storage() -> Storage:
    """Return where new objects go.

    Raises:
        StorageFullError: no target has room.
    """
    for storage in write_targets():
        return storage
    raise StorageFullError(targets=settings.ARCHIVE_WRITE_TO)


def storage_named(name: str) -> Storage:
    """Return a storage by the name that location rows carry.

    Raises:
        ImproperlyConfigured: none is called so, or its address is of no known kind.
    """
    url = settings.ARCHIVE_URL if name == DEFAULT else settings.ARCHIVE_STORAGES.get(name)
    if url is None:
        message = f"no storage is called {name}: name it in ARCHIVE_STORAGES"
        raise ImproperlyConfigured(message)
    return _storage(name, url, settings.ARCHIVE_RESERVE_MB << 20, settings.ARCHIVE_SPOOL)


@cache
def _storage(name: str, url: str, reserve_bytes: int, spool: Path) -> Storage:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalStorage(name, Path(unquote(parts.path)), reserve_bytes)
    if parts.scheme == "s3":
        from apps.archive.storage.s3 import S3Storage  # boto3 is slow to load

        return S3Storage(name, url, spool)
    message = f"the address of storage {name} begins with file: or s3:, not {parts.scheme}:"
    raise ImproperlyConfigured(message)
