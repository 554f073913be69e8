"""Whether the copies of stored objects are really there, asked before somebody deletes theirs."""

import datetime
from collections.abc import Collection, Iterable

import structlog

from apps.archive.examine import Finding, Pace, examine
from apps.archive.models import Location
from apps.archive.storage import StorageError, storage_named

log = structlog.get_logger(__name__)

READ_BACK_HOLDS = datetime.timedelta(hours=24)
BATCH = 500


def copies_verify(object_ids: Collection[int], *, at: datetime.datetime) -> set[int]:
    """Return which of the stored objects have a copy that was verified just now.

    A copy counts when its row says AVAILABLE and its bytes are there. It is read back whole and
    its digest compared with the one taken while it was received; one that was read back within
    the last `READ_BACK_HOLDS` (`verified_at`: by this function or by the scrub) only has its last
    byte read, which shows that the file is there in its full length. One good copy is enough, and
    the others are then not read. A read that succeeds does not prove that the medium holds the
    bytes, since they may come from the cache; the fsync before the object was acknowledged does.

    What fails is logged and stays as it is: an unreachable storage is no lost copy, and the scrub
    decides about those.

    Args:
        object_ids: primary keys of stored objects.
        at: now; becomes `verified_at` of what was read back.
    """
    good: set[int] = set()
    for batch in _batches(sorted(object_ids)):
        fresh: list[int] = []
        locations = (
            Location.objects.filter(
                stored_object__in=batch, status=Location.Status.AVAILABLE, cipher=""
            )
            .select_related("stored_object")
            .order_by("stored_object_id", "pk")
        )
        for location in locations:
            if location.stored_object_id in good:
                continue
            held = location.verified_at is not None and at - location.verified_at < READ_BACK_HOLDS
            if _is_there(location) if held else _reads_back(location):
                good.add(location.stored_object_id)
                if not held:
                    fresh.append(location.pk)
        Location.objects.filter(pk__in=fresh).update(verified_at=at)
    return good


def _is_there(location: Location) -> bool:
    """Tell whether the file is there in its full length."""
    last = location.offset_bytes + location.stored_object.size_bytes - 1
    try:
        return len(storage_named(location.storage).read(location.key, last, 1)) == 1
    except StorageError as error:
        log.warning("archive.copy-not-there", location=location.pk, reason=str(error.details))
        return False


def _reads_back(location: Location) -> bool:
    """Tell whether the copy, read whole, is what was recorded of it."""
    try:
        finding = examine(location, Pace()).finding
    except StorageError as error:
        log.warning("archive.copy-not-there", location=location.pk, reason=str(error.details))
        return False
    if finding is not Finding.GOOD:
        log.error("archive.copy-not-good", location=location.pk, finding=str(finding))
    return finding is Finding.GOOD


def _batches(keys: list[int]) -> Iterable[list[int]]:
    return (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
