"""Steps on stored copies: inside a transaction, under the lock of their object."""

import datetime

from apps.archive.audit_events import DAMAGED, RECOVERED, REPAIRED
from apps.archive.examine import Finding
from apps.archive.incoming import Staged
from apps.archive.models import Location, StoredObject
from apps.audit.models import Outcome
from apps.audit.steps import record
from apps.core.actors import Actor
from apps.core.steps import publish, require_transaction

LOST = "archive.object.lost"
RECOVERED_EVENT = "archive.object.recovered"


def lock_object(object_id: int) -> StoredObject:
    """Lock a stored object: whoever changes its copies holds this."""
    require_transaction()
    return StoredObject.objects.select_for_update().get(pk=object_id)


def object_record(*, staged: Staged, at: datetime.datetime) -> StoredObject:
    """Write the rows of a staged object and its first copy."""
    require_transaction()
    stored = StoredObject.objects.create(
        digest=staged.digest,
        size_bytes=staged.size_bytes,
        dataset_offset=staged.dataset_offset,
        transfer_syntax_uid=staged.transfer_syntax_uid,
        stored_at=at,
    )
    Location.objects.create(stored_object=stored, storage=staged.storage, key=staged.key)
    return stored


def copy_damaged(
    *, actor: Actor, location_id: int, finding: Finding, at: datetime.datetime
) -> bool:
    """Note that a copy is damaged; where no good one is left, publish that the object is lost.

    Its file stays where it is: it may be the only evidence. Returns False where it was noted
    before, or is no copy any more.
    """
    require_transaction()
    location = Location.objects.filter(pk=location_id).first()
    if location is None:
        return False
    lock_object(location.stored_object_id)
    location.refresh_from_db()
    if location.status != Location.Status.AVAILABLE:
        return False
    gone = finding is Finding.MISSING
    location.status = Location.Status.MISSING if gone else Location.Status.CORRUPT
    location.problem = finding.value
    location.save(update_fields=["status", "problem"])
    left = _good(location.stored_object_id)
    record(
        actor=actor,
        event=DAMAGED,
        door="task",
        outcome=Outcome.MINOR_FAILURE,
        key=f"stored-object:{location.stored_object_id}",
        storage=location.storage,
        file=location.key,
        problem=finding.value,
        good_copies_left=left,
        found_at=at.isoformat(),
    )
    if not left:
        _publish(LOST, location.stored_object_id)
    return True


def copy_recovered(*, actor: Actor, location_id: int, at: datetime.datetime) -> None:
    """Note that a copy thought damaged was read and is good: its storage had been away."""
    require_transaction()
    location = Location.objects.get(pk=location_id)
    lock_object(location.stored_object_id)
    before = location.problem
    location.status, location.problem, location.verified_at = Location.Status.AVAILABLE, "", at
    location.save(update_fields=["status", "problem", "verified_at"])
    record(
        actor=actor,
        event=RECOVERED,
        door="task",
        key=f"stored-object:{location.stored_object_id}",
        storage=location.storage,
        file=location.key,
        problem=before,
    )
    _publish(RECOVERED_EVENT, location.stored_object_id)


def copy_add(
    *,
    actor: Actor,
    stored: StoredObject,
    storage: str,
    key: str,
    at: datetime.datetime,
    repaired: bool,
) -> Location:
    """Record one more copy, read and proved good, whose file is durable.

    Args:
        actor: who makes it.
        stored: the object.
        storage: name of the storage.
        key: of the file there.
        at: when its content was compared with the digest.
        repaired: whether it stands in for a damaged one, which the audit then says.
    """
    require_transaction()
    lock_object(stored.pk)
    was_lost = not _good(stored.pk)
    location = Location.objects.create(
        stored_object=stored, storage=storage, key=key, verified_at=at
    )
    if repaired or was_lost:
        record(
            actor=actor,
            event=REPAIRED,
            door="task",
            key=f"stored-object:{stored.pk}",
            storage=storage,
            file=key,
        )
    if was_lost:
        _publish(RECOVERED_EVENT, stored.pk)
    return location


def _good(object_id: int) -> int:
    return Location.objects.filter(
        stored_object=object_id, status=Location.Status.AVAILABLE
    ).count()


def _publish(name: str, object_id: int) -> None:
    publish(
        name=name, aggregate=f"stored-object:{object_id}", payload={"stored_object_id": object_id}
    )
