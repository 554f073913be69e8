"""The storages of this installation by name. Today one, `default`, from `ARCHIVE_URL`."""

from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.archive.storage.base import Storage
from apps.archive.storage.local import LocalStorage

DEFAULT = "default"


def write_storage() -> Storage:
    """Return where new objects go."""
    return storage_named(DEFAULT)


def storage_named(name: str) -> Storage:
    """Return a storage by the name that location rows carry."""
    if name != DEFAULT:
        message = f"no storage is called {name}"
        raise ImproperlyConfigured(message)
    return _storage(name, settings.ARCHIVE_URL)


@cache
def _storage(name: str, url: str) -> Storage:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalStorage(name, Path(unquote(parts.path)))
    if parts.scheme == "s3":
        from apps.archive.storage.s3 import S3Storage  # boto3 is slow to load

        return S3Storage(name, url)
    message = f"ARCHIVE_URL begins with file: or s3:, not {parts.scheme}:"
    raise ImproperlyConfigured(message)
