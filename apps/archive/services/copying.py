"""Copies: everything in each storage that keeps a copy of all, and a new one for a damaged one."""

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from apps.archive.examine import Examination, Finding, Pace, StorageDownError
from apps.archive.models import CopyCursor, Location, StoredObject
from apps.archive.steps import copy_add, copy_damaged
from apps.archive.storage import IncomingFile, Storage, StorageError, copy_targets, storage_named
from apps.archive.storage.registry import storage_urls
from apps.core import clock
from apps.core.actors import Actor

log = structlog.get_logger(__name__)

BATCH = 100
SETTLED = datetime.timedelta(minutes=1)
"""Objects younger than this wait: a commit under way may still bring an older number."""


@contextmanager
def alone(work: str) -> Iterator[bool]:
    """Hold the one right to do a work; yields False where another process has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [work])
        [mine] = cursor.fetchone()
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", [work])


def copies_make(*, actor: Actor, seconds: float, everything: bool = False) -> int:
    """Copy what the copying storages lack, oldest first, and return how many copies were made.

    Goes on where the last run ended; a storage that is down or full is tried again by the next.
    Each copy is compared with the digest on the way, and recorded once it is durable.

    Args:
        actor: on whose account.
        seconds: after which no other object is begun.
        everything: look at all objects again, not only at those since the last run.
    """
    made = 0
    deadline = time.monotonic() + seconds
    for storage in copy_targets():
        with alone(f"archive-copy {storage.name}") as mine:
            if mine:
                made += _fill(actor, storage, deadline, everything=everything)
    return made


def _fill(actor: Actor, storage: Storage, deadline: float, *, everything: bool) -> int:
    cursor, _ = CopyCursor.objects.get_or_create(storage=storage.name)
    if everything:
        cursor.last_object = 0
    made = 0
    while batch := list(_lacking(storage, cursor.last_object)):
        for stored in batch:
            if time.monotonic() > deadline:
                return made
            try:
                made += object_copy(actor=actor, stored=stored, to=storage) is not None
            except StorageError as error:
                log.warning("archive.copy-waits", storage=storage.name, error=error.message)
                return made
            cursor.last_object = stored.pk
            cursor.save(update_fields=["last_object"])
    return made


def _lacking(storage: Storage, after: int) -> Iterator[StoredObject]:
    copies = Location.objects.filter(stored_object=OuterRef("pk"))
    good = copies.filter(status=Location.Status.AVAILABLE)
    return iter(
        StoredObject.objects.filter(pk__gt=after, stored_at__lt=clock.now() - SETTLED)
        .filter(Exists(good), ~Exists(good.filter(storage=storage.name)))
        .order_by("pk")[:BATCH]
    )


def object_copy(
    *, actor: Actor, stored: StoredObject, to: Storage, repaired: bool = False
) -> Location | None:
    """Make one more copy from a good one.

    A source that proves damaged is noted as that, and the next one tried.

    Returns:
        None where no good copy was left.

    Raises:
        StorageError: the target takes nothing now, or no source can be reached.
    """
    down: StorageDownError | None = None
    sources = Location.objects.filter(
        stored_object=stored, status=Location.Status.AVAILABLE, storage__in=storage_urls()
    )
    for source in sources.select_related("stored_object").order_by("pk"):
        file = to.create()
        examination = Examination(source, Pace())
        try:
            _transfer(examination, file)
            if examination.finding is Finding.GOOD:
                file.sync()
                to.publish([file.key])
        except StorageDownError as error:
            file.discard()
            down = error
            continue
        except BaseException:
            file.discard()
            raise
        if examination.finding is Finding.GOOD:
            return _recorded(actor, stored, to, file.key, repaired=repaired)
        file.discard()
        damage_note(actor=actor, location=source, finding=examination.finding or Finding.ALTERED)
    if down is not None:
        raise down
    return None


def _transfer(examination: Examination, file: IncomingFile) -> None:
    for chunk in examination:
        file.write(chunk)


@transaction.atomic(durable=True)
def _recorded(
    actor: Actor, stored: StoredObject, to: Storage, key: str, *, repaired: bool
) -> Location:
    return copy_add(
        actor=actor,
        stored=stored,
        storage=to.name,
        key=key,
        at=clock.now(),
        repaired=repaired,
    )


@transaction.atomic(durable=True)
def damage_note(*, actor: Actor, location: Location, finding: Finding) -> bool:
    """Note that a copy is damaged; False where it was noted before."""
    return copy_damaged(actor=actor, location_id=location.pk, finding=finding, at=clock.now())


def copy_repair(*, actor: Actor, location: Location) -> bool:
    """Put a new copy beside a damaged one, in the same storage, from a good one elsewhere.

    Never over it: what is left of the damaged one may be wanted as evidence.

    Raises:
        StorageError: the storage takes nothing now, or no source can be reached.
    """
    to = storage_named(location.storage)
    made = object_copy(actor=actor, stored=location.stored_object, to=to, repaired=True)
    return made is not None
