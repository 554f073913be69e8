"""Writing the audit trail. See DESIGN section 5, Audit."""

import hashlib
import threading
from collections import OrderedDict
from functools import partial
from typing import Any

from django.db import transaction

from apps.audit.models import AuditEvent, Outcome
from apps.audit.registry import event_type
from apps.core import clock
from apps.core.actors import Actor
from apps.core.steps import require_transaction

FOLD_MEMORY = 20_000
_seen: OrderedDict[str, None] = OrderedDict()
_seen_lock = threading.Lock()


def record(
    *,
    actor: Actor,
    event: str,
    door: str,
    outcome: Outcome = Outcome.SUCCESS,
    patient: object = "",
    study: str = "",
    key: str = "",
    query: str = "",
    **details: Any,
) -> None:
    """Write one event of a command, inside its transaction.

    Args:
        actor: who; kept as a snapshot.
        event: a declared name (`apps.audit.registry`).
        door: page, api, dicomweb, dimse, hl7 or task.
        outcome: success unless a refusal is recorded.
        patient: primary key of the patient it concerns.
        study: its Study Instance UID.
        key: what else it concerns, such as `order:12`.
        query: the text of a search.
        details: small JSON values, such as old and new.
    """
    require_transaction()
    _event(actor, event, door, outcome, str(patient or ""), study, key, query, details).save(
        force_insert=True
    )


def record_read(
    *,
    actor: Actor,
    event: str,
    door: str,
    outcome: Outcome = Outcome.SUCCESS,
    patient: object = "",
    study: str = "",
    key: str = "",
    query: str = "",
    **details: Any,
) -> None:
    """Write that something was seen or refused, before the first byte of it leaves.

    Folded: one event per actor, patient, study, door, object and outcome, within an association or,
    on HTTP, a minute. Durable on return where no transaction is open. A repeat within the
    fold costs no query where this process wrote the first.
    """
    fold = _fold(actor, event, door, outcome, patient, study, key, query)
    if _was_seen(fold):
        return
    row = _event(actor, event, door, outcome, str(patient or ""), study, key, query, details)
    row.fold_key = fold
    AuditEvent.objects.bulk_create([row], ignore_conflicts=True)
    transaction.on_commit(partial(_remember, fold))  # a rollback would take the row away again


def read_is_recorded(
    *, actor: Actor, event: str, door: str, patient: object = "", study: str = ""
) -> bool:
    """Tell without a query whether `record_read` of the same would fold into a durable event.

    Only what this process recorded is known; False says nothing.
    """
    return _was_seen(_fold(actor, event, door, Outcome.SUCCESS, patient, study, "", ""))


def _fold(  # noqa: PLR0917 - both callers have them all at hand, in this order
    actor: Actor,
    event: str,
    door: str,
    outcome: Outcome,
    patient: object,
    study: str,
    key: str,
    query: str,
) -> str:
    span = actor.association or clock.now().strftime("%Y%m%d%H%M")
    parts = (actor.key, actor.address, event, door, outcome, patient, study, key, query, span)
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()


def _event(  # noqa: PLR0917 - both callers have them all at hand, in this order
    actor: Actor,
    event: str,
    door: str,
    outcome: Outcome,
    patient: str,
    study: str,
    key: str,
    query: str,
    details: dict[str, Any],
) -> AuditEvent:
    return AuditEvent(
        at=clock.now(),
        event=event,
        action=event_type(event).action,
        outcome=outcome,
        actor_key=actor.key,
        actor_display=actor.display,
        actor_roles=" ".join(sorted(actor.roles)),
        address=actor.address,
        door=door,
        patient_key=patient,
        study_instance_uid=study,
        object_key=key,
        query=query,
        details=details,
    )


def _was_seen(fold: str) -> bool:
    with _seen_lock:
        return fold in _seen


def _remember(fold: str) -> None:
    with _seen_lock:
        _seen[fold] = None
        if len(_seen) > FOLD_MEMORY:
            _seen.popitem(last=False)
