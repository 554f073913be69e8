"""The rolling verification: every copy is read again, compared, and mended from another."""

import datetime
import time
from collections.abc import Sequence

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Max

from apps.archive.audit_events import PASS_FINISHED
from apps.archive.examine import Finding, Pace, StorageDownError, examine
from apps.archive.models import Location, VerificationPass
from apps.archive.selectors import damaged_alone
from apps.archive.services.copying import alone, copy_repair, damage_note
from apps.archive.steps import copy_recovered
from apps.archive.storage import Storage, StorageError, storages
from apps.audit.steps import record
from apps.core import clock
from apps.core.actors import Actor

log = structlog.get_logger(__name__)

BATCH = 50
SECOND_LOOKS = 10


def copies_verify(
    *, actor: Actor, seconds: float, bytes_per_second: float = 0, now: bool = False
) -> None:
    """Go on with each storage's verification pass for a while.

    A pass reads every copy that was there when it began, in the order of their recording, so the
    one that was read longest ago is always next. What is damaged is noted, and a new copy is put
    beside it from a good one. Damaged copies that have no good one beside them in their storage get
    a second look in every run: storages come back, and so do sources.

    Args:
        actor: on whose account.
        seconds: after which no other copy is begun, shared out over the storages.
        bytes_per_second: at most, while it lasts; 0 for as fast as it goes.
        now: begin a pass though the last one is younger than `ARCHIVE_SCRUB_DAYS`.
    """
    named = storages()
    for storage in named:
        with alone(f"archive-verify {storage.name}") as mine:
            if mine:
                run = _Run(actor, storage, seconds / len(named), Pace(bytes_per_second))
                run.go(begin=now)


class _Run:
    """One storage's share of a run."""

    def __init__(self, actor: Actor, storage: Storage, seconds: float, pace: Pace) -> None:
        self._actor, self._storage, self._pace = actor, storage, pace
        self._deadline = time.monotonic() + seconds

    def go(self, *, begin: bool) -> None:
        """Take the second looks, then the next copies of the pass."""
        try:
            self._second_looks()
            current = self._current(begin=begin)
            while current is not None and self._batch(current):
                pass
        except StorageDownError as error:
            log.warning("archive.verify-waits", storage=self._storage.name, error=error.message)

    def _current(self, *, begin: bool) -> VerificationPass | None:
        """Return the open pass, or a new one where the last is old enough."""
        passes = VerificationPass.objects.filter(storage=self._storage.name)
        current = passes.filter(finished_at=None).first()
        if current is not None:
            return current
        at = clock.now()
        last = passes.aggregate(at=Max("started_at"))["at"]
        pause = datetime.timedelta(days=settings.ARCHIVE_SCRUB_DAYS)
        newest = Location.objects.aggregate(pk=Max("pk"))["pk"]
        if newest is None or not (begin or last is None or at - last >= pause):
            return None
        return VerificationPass.objects.create(
            storage=self._storage.name, started_at=at, last_location=newest
        )

    def _batch(self, current: VerificationPass) -> bool:
        """Verify some copies; False where the pass or the time has ended."""
        waiting = list(
            Location.objects.select_related("stored_object")
            .filter(
                storage=self._storage.name,
                status=Location.Status.AVAILABLE,
                pk__gt=current.cursor,
                pk__lte=current.last_location,
            )
            .order_by("pk")[:BATCH]
        )
        if not waiting:
            self._finish(current)
            return False
        began = time.monotonic()
        good: list[int] = []
        changes: dict[str, int] = dict.fromkeys(("copies", "bytes_read", "repaired"), 0)
        try:
            for location in waiting:
                if time.monotonic() > self._deadline:
                    break
                self._one(location, good, changes)
                current.cursor = location.pk
        finally:
            Location.objects.filter(pk__in=good).update(verified_at=clock.now(), problem="")
            busy = time.monotonic() - began
            VerificationPass.objects.filter(pk=current.pk).update(
                cursor=current.cursor,
                busy_seconds=F("busy_seconds") + busy,
                **{name: F(name) + count for name, count in changes.items()},
            )
        return time.monotonic() <= self._deadline

    def _one(self, location: Location, good: list[int], changes: dict[str, int]) -> None:
        examination = examine(location, self._pace)
        finding = examination.finding or Finding.ALTERED
        changes["copies"] += 1
        changes["bytes_read"] += examination.bytes_read
        if finding is Finding.GOOD:
            good.append(location.pk)
        elif damage_note(actor=self._actor, location=location, finding=finding):
            changes[finding.value] = changes.get(finding.value, 0) + 1
            changes["repaired"] += self._repaired(location)

    def _repaired(self, location: Location) -> bool:
        """Try to repair; what fails now is tried again by the next run's second looks."""
        try:
            return copy_repair(actor=self._actor, location=location)
        except StorageError as error:
            log.warning("archive.repair-waits", location=location.pk, error=error.message)
            return False

    def _second_looks(self) -> None:
        for location in self._alone_in_damage():
            finding = examine(location, self._pace).finding
            if finding is Finding.GOOD:
                _recover(self._actor, location)
            elif self._repaired(location):
                VerificationPass.objects.filter(
                    storage=self._storage.name, finished_at=None
                ).update(repaired=F("repaired") + 1)

    def _alone_in_damage(self) -> Sequence[Location]:
        """Return some damaged copies of objects that have no good one in this storage."""
        return list(damaged_alone(self._storage.name).order_by("?")[:SECOND_LOOKS])

    @transaction.atomic(durable=True)
    def _finish(self, current: VerificationPass) -> None:
        current.refresh_from_db()
        current.finished_at = clock.now()
        current.save(update_fields=["finished_at"])
        record(
            actor=self._actor,
            event=PASS_FINISHED,
            door="task",
            key=f"storage:{self._storage.name}",
            copies=current.copies,
            bytes=current.bytes_read,
            missing=current.missing,
            truncated=current.truncated,
            altered=current.altered,
            unreadable=current.unreadable,
            repaired=current.repaired,
        )


@transaction.atomic(durable=True)
def _recover(actor: Actor, location: Location) -> None:
    copy_recovered(actor=actor, location_id=location.pk, at=clock.now())
