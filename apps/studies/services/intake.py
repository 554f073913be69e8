"""The rules of intake, as an administrator sets them."""

import datetime

from django.db import transaction

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.audit.steps import record
from apps.core.actors import Actor
from apps.core.errors import InvalidInputError
from apps.studies import audit_events
from apps.studies.domain import IntakeAction
from apps.studies.ingest.rules import EVERYONE, forget_rules
from apps.studies.models import IntakeRule


@transaction.atomic(durable=True)
def intake_rule_save(
    *,
    actor: Actor,
    source: str,
    action: IntakeAction | None,
    at: datetime.datetime,
    probe_pixels: bool = False,
) -> IntakeRule | None:
    """Say what becomes of defective objects of a source; None takes the source's rule away.

    Args:
        actor: an administrator.
        source: `ae:CT_1`, `user:12`, or `*` for every source without a rule.
        action: accept and flag, refuse, or quarantine.
        at: when.
        probe_pixels: decode the first frame of every object before it is taken; costs time.

    Raises:
        InvalidInputError: not the key of a sender.
    """
    policy.require(actor, Permission.ADMINISTER)
    kind, _, name = source.partition(":")
    if source != EVERYONE and (kind not in ("ae", "user") or not name or len(source) > 100):
        message = "A source is an AE, an account, or everyone else."
        raise InvalidInputError(message, field="source")
    rule = None
    if action is None:
        IntakeRule.objects.filter(source=source).delete()
    else:
        rule, _ = IntakeRule.objects.update_or_create(
            source=source,
            defaults={
                "action": action.value,
                "probe_pixels": probe_pixels,
                "changed_by": actor.display[:200],
                "changed_at": at,
            },
        )
    record(
        actor=actor,
        event=audit_events.RULE_SAVED,
        door="page",
        key=f"intake-rule:{source}",
        action=action.value if action else "",
        probe_pixels=probe_pixels,
    )
    forget_rules()
    return rule
