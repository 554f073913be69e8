"""Reading what is known of the stored copies."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.archive.models import CopyCursor, Location, StoredObject, VerificationPass
from apps.archive.storage import Storage, StorageError, storages
from apps.archive.storage.registry import storage_urls
from apps.core.actors import Actor


def without_good_copy(object_ids: Iterable[int]) -> QuerySet[StoredObject]:
    """Return those of the objects of which no good copy is left, locked.

    Whoever gives one a copy holds its lock.
    """
    good = Location.objects.filter(stored_object=OuterRef("pk"), status=Location.Status.AVAILABLE)
    rows = StoredObject.objects.select_for_update().filter(pk__in=list(object_ids))
    return rows.filter(~Exists(good)).order_by("pk")


@dataclass(frozen=True, slots=True)
class StorageState:
    """One storage, for those who run it.

    Attributes:
        address: without its secrets.
        parts: what it is there for, in the order of settings.
        answers: whether it can be reached now.
        free_bytes: None where the storage does not tell, or does not answer.
        has_room: whether it takes new objects.
        current: the pass under way.
        last: the last finished pass.
        damaged: copies in it that were found damaged, by what was found.
        waiting: objects that it still has to copy.
    """

    name: str
    address: str
    parts: tuple[str, ...]
    answers: bool
    free_bytes: int | None
    has_room: bool
    current: VerificationPass | None
    last: VerificationPass | None
    damaged: dict[str, int]
    waiting: bool


def storage_states(*, actor: Actor) -> list[StorageState]:
    """Return the state of every storage.

    Raises:
        NotPermittedError: the actor does not administer.
    """
    policy.require(actor, Permission.ADMINISTER)
    return [_state(storage) for storage in storages()]


def _state(storage: Storage) -> StorageState:
    passes = VerificationPass.objects.filter(storage=storage.name)
    found: dict[str, int] = {}
    bad = [Location.Status.MISSING, Location.Status.CORRUPT]
    for problem in Location.objects.filter(storage=storage.name, status__in=bad).values_list(
        "problem", flat=True
    ):
        found[problem] = found.get(problem, 0) + 1
    answers = storage.is_there()
    free = None
    try:
        free = storage.free_bytes() if answers else None
        room = answers and storage.has_room()
    except StorageError:
        answers = room = False
    return StorageState(
        name=storage.name,
        address=public_address(storage_urls()[storage.name]),
        parts=_parts(storage.name),
        answers=answers,
        free_bytes=free,
        has_room=room,
        current=passes.filter(finished_at=None).first(),
        last=passes.exclude(finished_at=None).order_by("-started_at").first(),
        damaged=found,
        waiting=_waiting(storage.name),
    )


def public_address(url: str) -> str:
    """Return a storage's address without key and secret."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    where = f"{host}:{parts.port}" if parts.port else host
    return f"{parts.scheme}://{where}{parts.path}"


def _parts(name: str) -> tuple[str, ...]:
    parts = []
    if name in settings.ARCHIVE_WRITE_TO:
        parts.append("takes new images")
    if name in settings.ARCHIVE_COPY_TO:
        parts.append("keeps a copy of everything")
    return tuple(parts) or ("is read from",)


def _waiting(name: str) -> bool:
    if name not in settings.ARCHIVE_COPY_TO:
        return False
    cursor = CopyCursor.objects.filter(storage=name).first()
    after = cursor.last_object if cursor else 0
    elsewhere = Location.objects.filter(stored_object=OuterRef("pk"), storage=name)
    return StoredObject.objects.filter(pk__gt=after).filter(~Exists(elsewhere))[:1].exists()
