"""Reading what is known of the stored copies."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.archive.models import CopyCount, CopyCursor, Location, StoredObject, VerificationPass
from apps.archive.storage import Storage, StorageError, storages
from apps.archive.storage.registry import storage_urls
from apps.core.actors import Actor

SHOWN = 50


def without_good_copy(object_ids: Iterable[int]) -> QuerySet[StoredObject]:
    """Return those of the objects of which no good copy is left, locked.

    Whoever gives one a copy holds its lock.
    """
    good = Location.objects.filter(stored_object=OuterRef("pk"), status=Location.Status.AVAILABLE)
    rows = StoredObject.objects.select_for_update().filter(pk__in=list(object_ids))
    return rows.filter(~Exists(good)).order_by("pk")


@dataclass(frozen=True, slots=True)
class Unrepaired:
    """A damaged copy that has no good one beside it in its storage.

    Attributes:
        problem: what was found, a value of `examine.Finding`.
        elsewhere: how many good copies other storages have; where there is none, it is lost.
    """

    stored_object_id: int
    key: str
    size_bytes: int
    problem: str
    elsewhere: int


@dataclass(frozen=True, slots=True)
class Passes:
    """What all readings of a storage together found, finished or not."""

    number: int
    damaged: int
    repaired: int


@dataclass(frozen=True, slots=True)
class StorageState:
    """One storage, for those who run it.

    Attributes:
        address: without its secrets.
        parts: what it is there for, in the order of settings.
        answers: whether it can be reached now.
        free_bytes: None where the storage does not tell, or does not answer.
        has_room: whether it takes new objects.
        counts: its copies by state, as last counted; empty where nothing was counted yet.
        current: the pass under way.
        last: the last finished pass.
        passes: what all of them found.
        unrepaired: damaged copies without a good one in this storage, the first of them.
        unrepaired_count: how many there are.
        waiting: whether there are objects that it still has to copy.
    """

    name: str
    address: str
    parts: tuple[str, ...]
    answers: bool
    free_bytes: int | None
    has_room: bool
    counts: dict[str, CopyCount]
    current: VerificationPass | None
    last: VerificationPass | None
    passes: Passes
    unrepaired: list[Unrepaired]
    unrepaired_count: int
    waiting: bool

    @property
    def good(self) -> CopyCount | None:
        """Its good copies."""
        return self.counts.get(Location.Status.AVAILABLE)

    @property
    def damaged_counts(self) -> list[tuple[str, CopyCount]]:
        """The counts of all other states, worded."""
        statuses = Location.Status
        return [
            (str(statuses(status).label), count)
            for status, count in sorted(self.counts.items())
            if status != statuses.AVAILABLE
        ]

    @property
    def lost(self) -> set[int]:
        """Which objects, of those shown, have no good copy anywhere."""
        return {one.stored_object_id for one in self.unrepaired if not one.elsewhere}


def storage_states(*, actor: Actor) -> list[StorageState]:
    """Return the state of every storage, and what its verification found.

    Raises:
        NotPermittedError: the actor does not administer.
    """
    policy.require(actor, Permission.ADMINISTER)
    counts: dict[str, dict[str, CopyCount]] = {}
    for count in CopyCount.objects.all():
        counts.setdefault(count.storage, {})[count.status] = count
    return [_state(storage, counts.get(storage.name, {})) for storage in storages()]


def _state(storage: Storage, counts: dict[str, CopyCount]) -> StorageState:
    passes = VerificationPass.objects.filter(storage=storage.name)
    answers = storage.is_there()
    free = None
    try:
        free = storage.free_bytes() if answers else None
        room = answers and storage.has_room()
    except StorageError:
        answers = room = False
    unrepaired = damaged_alone(storage.name)
    return StorageState(
        name=storage.name,
        address=public_address(storage_urls()[storage.name]),
        parts=_parts(storage.name),
        answers=answers,
        free_bytes=free,
        has_room=room,
        counts=counts,
        current=passes.filter(finished_at=None).first(),
        last=passes.exclude(finished_at=None).order_by("-started_at").first(),
        passes=_all_passes(passes),
        unrepaired=_shown(unrepaired, storage.name),
        unrepaired_count=unrepaired.count(),
        waiting=_waiting(storage.name),
    )


def damaged_alone(storage: str) -> QuerySet[Location]:
    """Return the damaged copies of objects that have no good one in the storage."""
    good = Location.objects.filter(
        stored_object=OuterRef("stored_object"), storage=storage, status=Location.Status.AVAILABLE
    )
    damaged = [Location.Status.MISSING, Location.Status.CORRUPT]
    rows = Location.objects.select_related("stored_object")
    return rows.filter(~Exists(good), storage=storage, status__in=damaged)


def _shown(rows: QuerySet[Location], storage: str) -> list[Unrepaired]:
    others = Q(stored_object__locations__status=Location.Status.AVAILABLE) & ~Q(
        stored_object__locations__storage=storage
    )
    elsewhere = Count("stored_object__locations", filter=others)
    return [
        Unrepaired(
            row.stored_object_id,
            row.key,
            row.stored_object.size_bytes,
            row.problem,
            row.elsewhere,
        )
        for row in rows.annotate(elsewhere=elsewhere).order_by("elsewhere", "pk")[:SHOWN]
    ]


def _all_passes(passes: QuerySet[VerificationPass]) -> Passes:
    found = F("missing") + F("truncated") + F("altered") + F("unreadable")
    total = passes.aggregate(number=Count("pk"), damaged=Sum(found), repaired=Sum("repaired"))
    return Passes(total["number"], total["damaged"] or 0, total["repaired"] or 0)


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
