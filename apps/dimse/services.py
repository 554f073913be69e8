"""Commands of dimse itself: trying a node."""

import datetime

from django.db import transaction

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.accounts.models import ApplicationEntity
from apps.audit.steps import record
from apps.core import live
from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.dimse import audit_events
from apps.dimse.domain import Question
from apps.dimse.models import NodeTest
from apps.dimse.questions import Answer


@transaction.atomic(durable=True)
def node_test_ask(
    *, actor: Actor, entity_id: int, question: Question, at: datetime.datetime
) -> NodeTest:
    """Note that a node is to be tried; a worker does it.

    Raises:
        NotFoundError: no such node.
    """
    policy.require(actor, Permission.ADMINISTER)
    entity = ApplicationEntity.objects.filter(pk=entity_id).first()
    if entity is None:
        raise NotFoundError
    test = NodeTest.objects.create(
        entity=entity, question=question.value, asked_at=at, asked_by=actor.display[:100]
    )
    record(
        actor=actor,
        event=audit_events.NODE_TESTED,
        door="page",
        key=f"ae:{entity.ae_title}",
        question=question.value,
    )
    live.notify(live.NODES, str(entity.pk))
    return test


@transaction.atomic(durable=True)
def node_test_answered(*, test_id: int, answer: Answer, at: datetime.datetime) -> None:
    """Keep what came of it; the first answer stays where a worker died and another took over."""
    kept = NodeTest.objects.filter(pk=test_id, ended_at=None).update(
        ended_at=at,
        cause=answer.cause,
        code=answer.code,
        said=answer.said.replace("\0", "")[:300],
        facts=answer.facts,
    )
    if kept:
        live.notify(live.NODES)
