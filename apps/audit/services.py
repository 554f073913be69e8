"""Sealing the audit trail and proving that it was not touched.

The chain is sealed by one sealer in batches, never inside a command: hashing in the command would
make every writer wait for the one before it.
"""

import datetime
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection, transaction

from apps.audit.models import AuditEvent, AuditSeal
from apps.core import clock

SEALER_LOCK = 0x15C0A0D1
BATCH = 5_000
SETTLED = datetime.timedelta(seconds=10)
FIELDS = (
    "id", "at", "event", "action", "outcome", "actor_key", "actor_display", "actor_roles",
    "address", "door", "patient_key", "study_instance_uid", "object_key", "query", "details",
    "fold_key",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the verifier found: the first broken seal, or none."""

    seals: int
    events: int
    broken: str = ""


@transaction.atomic(durable=True)
def audit_seal() -> int:
    """Seal the next events and return how many; 0 when there are none or another sealer works.

    Ids are taken from a sequence before commit, so the newest few may still be joined by a lower id
    from a transaction that is under way: only ids below the oldest such transaction are
    sealed, which the snapshot tells (`pg_snapshot_xmin`), and only events that have settled, since
    an id is drawn an instant before its transaction is known.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SEALER_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        last = AuditSeal.objects.order_by("-last_id").first()
        after = last.last_id if last else 0
        cursor.execute(
            "SELECT coalesce(min(id), 9223372036854775807) FROM audit_auditevent WHERE id > %s "
            "AND (at > %s OR xmin::text::bigint >= "
            "(pg_snapshot_xmin(pg_current_snapshot())::text::bigint & 4294967295))",
            [after, clock.now() - SETTLED],
        )
        limit = cursor.fetchone()[0]
    rows = list(
        AuditEvent.objects.filter(id__gt=after, id__lt=limit).order_by("id").values(*FIELDS)[:BATCH]
    )
    if not rows:
        return 0
    previous = last.digest if last else ""
    AuditSeal.objects.create(
        first_id=after + 1,
        last_id=rows[-1]["id"],
        count=len(rows),
        previous=previous,
        digest=_digest(previous, rows),
        sealed_at=clock.now(),
    )
    return len(rows)


def audit_verify() -> Verdict:
    """Recompute the whole chain and tell where it breaks first, if anywhere."""
    previous, seals, events, end = "", 0, 0, 0
    for seal in AuditSeal.objects.order_by("first_id").iterator():
        rows = AuditEvent.objects.filter(id__gte=seal.first_id, id__lte=seal.last_id)
        found = list(rows.order_by("id").values(*FIELDS))
        name = f"events {seal.first_id} to {seal.last_id}"
        if seal.first_id != end + 1 or seal.previous != previous:
            return Verdict(seals, events, f"{name}: the link to the seal before is broken")
        if len(found) != seal.count or _digest(previous, found) != seal.digest:
            return Verdict(seals, events, f"{name}: {len(found)} of {seal.count}, content differs")
        previous, end = seal.digest, seal.last_id
        seals, events = seals + 1, events + len(found)
    return Verdict(seals, events)


def _digest(previous: str, rows: Iterable[dict[str, object]]) -> str:
    digest = hashlib.sha256(previous.encode())
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, default=str).encode())
    return digest.hexdigest()
