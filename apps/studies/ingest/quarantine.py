"""Keeping what is not taken: bytes and reasons, outside the index, for a person to decide."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import F

from apps.accounts.models import Site
from apps.archive.incoming import Staged
from apps.archive.steps import object_record
from apps.audit.steps import record
from apps.core import live
from apps.core.actors import Actor
from apps.core.errors import DomainError
from apps.core.steps import require_transaction
from apps.studies import audit_events
from apps.studies.domain import QuarantineState
from apps.studies.ingest.received import Received
from apps.studies.models import QuarantinedObject, StudyAttention
from apps.studies.validation import Finding

QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Held:
    """One object to hold back: what was read of it, or the error that says it cannot be read."""

    staged: Staged
    received: Received | None = None
    findings: tuple[Finding, ...] = ()
    error: DomainError | None = None


def hold(
    *, actor: Actor, site: Site, batch: Sequence[Held], at: datetime.datetime, door: str
) -> None:
    """Write rows for objects whose files are durable, and tell people that they wait.

    The same object again from the same source only counts up: its file is left for the caller to
    remove, since no location names it.
    """
    require_transaction()
    with connection.cursor() as cursor:  # one writer a source: the same object is held once
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"quarantine:{actor.key}"])
    for held in batch:
        _hold(actor, site, held, at, door)
    record(
        actor=actor,
        event=audit_events.QUARANTINED,
        door=door,
        instances=[
            {"uid": held.staged.sop_instance_uid, "codes": [f["code"] for f in _findings(held)]}
            for held in batch
        ],
    )
    refresh_attention(site=site, source_key=actor.key, source=actor.display, at=at)


def _hold(actor: Actor, site: Site, held: Held, at: datetime.datetime, door: str) -> None:
    staged = held.staged
    again = QuarantinedObject.objects.filter(
        state=QuarantineState.HELD,
        source_key=actor.key,
        sop_instance_uid=staged.sop_instance_uid,
        digest=staged.digest,
    ).update(times_sent=F("times_sent") + 1, last_received_at=at)
    if again:
        return
    stored = object_record(staged=staged, at=at)
    QuarantinedObject.objects.create(
        site=site,
        stored_object=stored,
        digest=staged.digest,
        size_bytes=staged.size_bytes,
        transfer_syntax_uid=staged.transfer_syntax_uid,
        sop_class_uid=staged.sop_class_uid,
        sop_instance_uid=staged.sop_instance_uid,
        source=actor.display[:100],
        source_key=actor.key,
        address=actor.address[:64],
        door=door,
        findings=_findings(held),
        unservable=held.received is None,
        received_at=at,
        last_received_at=at,
        **(_readable(held.received) if held.received else {}),
    )


def _readable(received: Received) -> dict[str, str]:
    texts = received.texts
    names = ("patient_id", "patient_name", "modality", "study_date", "study_description")
    return {"study_instance_uid": received.study_instance_uid} | {n: texts[n] for n in names}


def _findings(held: Held) -> list[dict[str, str]]:
    if held.error is not None:
        reason = held.error.details.get("reason") or held.error.details.get("attribute") or ""
        return [{"code": held.error.code, "detail": str(reason)[:300]}]
    return [finding.as_json() for finding in held.findings]


def refresh_attention(*, site: Site, source_key: str, source: str, at: datetime.datetime) -> None:
    """Open, update or close the one item that says that objects of a source wait."""
    require_transaction()
    waiting = QuarantinedObject.objects.filter(
        site=site, source_key=source_key, state=QuarantineState.HELD
    ).count()
    key = f"{site.pk}:{source_key}"
    rows = StudyAttention.objects.filter(kind=QUARANTINED, key=key, resolved_at=None)
    wait = "object waits" if waiting == 1 else "objects wait"
    summary = f"{waiting} {wait} in quarantine, from {source}"[:300]
    if not waiting:
        rows.update(resolved_at=at, resolved_by="Isocenter", resolution="Each was decided")
    elif not rows.update(summary=summary):
        StudyAttention.objects.bulk_create(
            [
                StudyAttention(
                    kind=QUARANTINED,
                    site=site,
                    key=key,
                    summary=summary,
                    details={"source": source, "source_key": source_key},
                    opened_at=at,
                )
            ],
            ignore_conflicts=True,
        )
    live.notify(live.ATTENTION)
