"""What a person decides about objects in quarantine, and what the clock does after."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from apps.accounts.domain import Permission
from apps.archive.incoming import IncomingObject, Staged
from apps.archive.models import Location
from apps.archive.storage import StorageError, storage_named
from apps.audit.steps import record
from apps.core.actors import Actor, ActorKind
from apps.core.errors import ConflictError, DomainError, InvalidInputError
from apps.core.steps import lock, require_transaction
from apps.studies import audit_events
from apps.studies.domain import QuarantineState
from apps.studies.ingest.quarantine import refresh_attention
from apps.studies.models import Instance, QuarantinedObject
from apps.studies.quarantine import quarantined_access
from apps.studies.services.instances import InstanceStatus, instances_record

KEPT = datetime.timedelta(days=30)
PURGE_BATCH = 200
COPY_WORDS = {
    InstanceStatus.STORED: "in the archive",
    InstanceStatus.ALREADY_HERE: "was in the archive already",
    InstanceStatus.OTHER_VERSION: "kept as another version of an image that is here",
}


@dataclass(frozen=True, slots=True)
class Release:
    """What became of one object that was to be released."""

    key: int
    study_instance_uid: str = ""
    words: str = ""
    error: DomainError | None = None


def quarantine_release(
    *, actor: Actor, keys: Sequence[int], reason: str, at: datetime.datetime
) -> list[Release]:
    """Take objects into the archive as they were received, because a person says so.

    Each is copied, its digest checked, and filed as its source's own, through the one ingest; so
    it can be repeated after a fault. An object that cannot be filed stays where it is.

    Raises:
        InvalidInputError: no reason.
        NotFoundError: one of them is absent, or of another site.
    """
    why = _reason(reason)
    rows = [quarantined_access(actor, key, Permission.STUDY_RECONCILE) for key in keys]
    return [_release(actor, row, why, at) for row in rows]


def _release(actor: Actor, row: QuarantinedObject, reason: str, at: datetime.datetime) -> Release:
    try:
        if row.state != QuarantineState.HELD:
            raise ConflictError
        [result] = instances_record(
            actor=_source(row), batch=[_copy(row)], at=at, door=row.door, as_it_is=True
        )
        if result.error is not None:
            return Release(row.pk, error=result.error)
        _decide(actor, row.pk, QuarantineState.RELEASED, reason, at)
    except DomainError as error:
        return Release(row.pk, error=error)
    return Release(row.pk, result.study_instance_uid, COPY_WORDS[result.status])


def _source(row: QuarantinedObject) -> Actor:
    """Return the sender as it was: what is released belongs to its site and carries its name."""
    return Actor(
        kind=ActorKind.APPLICATION_ENTITY if row.source_key.startswith("ae:") else ActorKind.USER,
        key=row.source_key,
        display=row.source,
        permissions=frozenset({Permission.STUDY_STORE.value}),
        sites=frozenset({row.site_id}),
        home_site=row.site_id,
        address=row.address,
    )


def _copy(row: QuarantinedObject) -> Staged:
    location = _location(row)
    offset = row.size_bytes - _dataset_bytes(row)
    incoming = IncomingObject(
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        source_ae_title=row.source_key.removeprefix("ae:") if "ae:" in row.source_key else "",
    )
    try:
        for chunk in storage_named(location.storage).open(
            location.key, offset, _dataset_bytes(row)
        ):
            incoming.write(chunk)
        staged = incoming.finish()
        if staged.digest != row.digest:
            message = "The file in quarantine is not what was received any more."
            raise StorageError(message, key=location.key)
    except BaseException:
        incoming.discard()
        raise
    return staged


def _dataset_bytes(row: QuarantinedObject) -> int:
    assert row.stored_object is not None
    return row.size_bytes - row.stored_object.dataset_offset


def _location(row: QuarantinedObject) -> Location:
    location = Location.objects.filter(stored_object=row.stored_object_id or 0).first()
    if location is None:
        message = "Its file was removed; what was decided about it stands."
        raise ConflictError(message)
    return location


@transaction.atomic(durable=True)
def _decide(
    actor: Actor, key: int, state: QuarantineState, reason: str, at: datetime.datetime
) -> None:
    _decided(actor, lock(QuarantinedObject.objects.get(pk=key)), state, reason, at)


def _decided(
    actor: Actor,
    row: QuarantinedObject,
    state: QuarantineState,
    reason: str,
    at: datetime.datetime,
) -> None:
    require_transaction()
    if row.state != QuarantineState.HELD:
        raise ConflictError
    row.state, row.reason = state.value, reason
    row.decided_at, row.decided_by = at, actor.display[:200]
    row.save(update_fields=["state", "reason", "decided_at", "decided_by"])
    event = audit_events.DISCARDED if state is QuarantineState.DISCARDED else audit_events.RELEASED
    _tell(actor, event, row, at)


def _tell(actor: Actor, event: str, row: QuarantinedObject, at: datetime.datetime) -> None:
    record(
        actor=actor,
        event=event,
        door="page" if actor.user_id else "task",
        study=row.study_instance_uid,
        key=f"quarantine:{row.pk}",
        instance=row.sop_instance_uid,
        source=row.source,
        reason=row.reason,
        codes=[finding["code"] for finding in row.findings],
    )
    refresh_attention(site=row.site, source_key=row.source_key, source=row.source, at=at)


@transaction.atomic(durable=True)
def quarantine_discard(
    *, actor: Actor, keys: Sequence[int], reason: str, at: datetime.datetime
) -> int:
    """Decide that objects are not wanted; their bytes stay for a month and can be taken back.

    Raises:
        InvalidInputError: no reason.
        NotFoundError: one of them is absent, or of another site.
        ConflictError: one of them was decided already; nothing was changed.
    """
    why = _reason(reason)
    for key in sorted(keys):
        row = lock(quarantined_access(actor, key, Permission.STUDY_RECONCILE))
        _decided(actor, row, QuarantineState.DISCARDED, why, at)
    return len(keys)


@transaction.atomic(durable=True)
def quarantine_restore(*, actor: Actor, keys: Sequence[int], at: datetime.datetime) -> int:
    """Take a discard back: the undo of `quarantine_discard`.

    Raises:
        ConflictError: it was not discarded, its file is gone, or the same came again since.
    """
    for key in sorted(keys):
        row = lock(quarantined_access(actor, key, Permission.STUDY_RECONCILE))
        again = QuarantinedObject.objects.filter(
            state=QuarantineState.HELD,
            source_key=row.source_key,
            sop_instance_uid=row.sop_instance_uid,
            digest=row.digest,
        )
        if row.state != QuarantineState.DISCARDED or not row.stored_object_id or again.exists():
            raise ConflictError
        row.state, row.decided_at, row.decided_by, row.reason = "held", None, "", ""
        row.save(update_fields=["state", "reason", "decided_at", "decided_by"])
        _tell(actor, audit_events.RESTORED, row, at)
    return len(keys)


@transaction.atomic
def quarantine_replaced(*, actor: Actor, study_id: int, at: datetime.datetime) -> int:
    """Close what waits and has come whole since, under the same SOP Instance UID."""
    held = QuarantinedObject.objects.filter(state=QuarantineState.HELD, unservable=True).exclude(
        sop_instance_uid=""
    )
    count = 0
    for row in held.filter(
        sop_instance_uid__in=Instance.objects.filter(series__study=study_id).values(
            "sop_instance_uid"
        )
    ).select_for_update(of=("self",)):
        _decided(actor, row, QuarantineState.REPLACED, "It came again, whole", at)
        count += 1
    return count


def quarantine_purge(*, actor: Actor, at: datetime.datetime) -> int:
    """Remove the files of what was decided more than a month ago; return how many.

    The rows stay: what came, why it was held, and who decided. Rows go first and files after, so
    that a fault between leaves a file that the archive's sweeper finds.
    """
    with transaction.atomic(durable=True):
        rows = list(
            QuarantinedObject.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(decided_at__lt=at - KEPT, stored_object__isnull=False)
            .exclude(state=QuarantineState.HELD)
            .select_related("stored_object")
            .order_by("pk")[:PURGE_BATCH]
        )
        files = []
        for row in rows:
            stored = row.stored_object
            assert stored is not None
            files += list(stored.locations.values_list("storage", "key"))
            row.stored_object = None
            row.save(update_fields=["stored_object"])
            stored.locations.all().delete()
            stored.delete()
        if rows:
            record(actor=actor, event=audit_events.PURGED, door="task", files=len(files))
    for storage, key in files:
        storage_named(storage).remove(key)
    return len(rows)


def _reason(reason: str) -> str:
    why = reason.strip()[:300]
    if not why:
        message = "Say why, in a few words."
        raise InvalidInputError(message, field="reason")
    return why
