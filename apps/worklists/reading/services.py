"""Commands of the reading list."""

import datetime

from django.db import transaction

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.accounts.models import User
from apps.audit.steps import record
from apps.core.actors import Actor
from apps.core.errors import ConflictError, DomainError, InvalidInputError, NotFoundError
from apps.worklists import audit_events
from apps.worklists.models import ReadingFilter, ReadingItem
from apps.worklists.reading import policies, steps
from apps.worklists.reading.domain import ReadingFilters
from apps.worklists.reading.selectors import candidates_for, claim_holds, readers_for


class NothingToReadError(DomainError):
    """The list holds nothing that the actor could take."""

    code = "worklists.reading-empty"
    message = "Nothing is left for you on this list: all of it is taken, or read."


class NotYoursError(DomainError):
    """The claim belongs to another reader."""

    code = "worklists.reading-not-yours"
    message = "This exam is not claimed by you, so you cannot give it back."


@transaction.atomic(durable=True)
def reading_claim(
    *, actor: Actor, item_id: int, at: datetime.datetime, door: str = "page"
) -> ReadingItem:
    """Take an exam, and all that share a study with it, to read. Repeating it renews the claim.

    Raises:
        NotFoundError: absent, or hidden from the actor.
        ClaimedByOtherError: another reader has it open.
        AlreadyReadError: its report is signed.
    """
    group = _locked(actor, item_id, Permission.READING_CLAIM)
    steps.group_claim(actor=actor, group=group, at=at, door=door)
    return group[0]


@transaction.atomic(durable=True)
def reading_heartbeat(*, actor: Actor, item_id: int, at: datetime.datetime) -> bool:
    """Say that the actor's page is still open; tell whether the claim is still the actor's.

    A claim that lapsed meanwhile and that nobody took is renewed; one that was taken stays taken.
    """
    group = _locked(actor, item_id, Permission.READING_CLAIM)
    if group[0].claimed_by_id != actor.user_id:
        return False
    ReadingItem.objects.filter(pk__in=[item.pk for item in group], claimed_by=actor.user_id).update(
        claim_seen_at=at
    )
    return True


@transaction.atomic(durable=True)
def reading_release(
    *, actor: Actor, item_id: int, at: datetime.datetime, door: str = "page"
) -> ReadingItem:
    """Give the actor's own claim back. Without a claim nothing happens.

    Raises:
        NotYoursError: another reader has it.
    """
    del at
    group = _locked(actor, item_id, Permission.READING_CLAIM)
    if group[0].claimed_by_id not in {None, actor.user_id}:
        raise NotYoursError
    own = [item for item in group if item.claimed_by_id == actor.user_id]
    steps.group_release(actor=actor, group=own, door=door)
    return group[0]


@transaction.atomic(durable=True)
def reading_force_release(
    *, actor: Actor, item_id: int, reason: str, at: datetime.datetime, door: str = "page"
) -> ReadingItem:
    """Take a claim away from another reader, with the reason on record.

    Raises:
        NotPermittedError: the actor's role does not include this.
        InvalidInputError: no reason is given.
        ConflictError: nobody holds it.
    """
    del at
    policy.require(actor, Permission.READING_RELEASE_OTHERS)
    group = _locked(actor, item_id, Permission.READING_RELEASE_OTHERS)
    if not reason.strip():
        message = "Say why the exam is taken away from its reader."
        raise InvalidInputError(message, field="reason")
    if group[0].claimed_by_id is None:
        message = "Nobody holds this exam any more."
        raise ConflictError(message)
    steps.group_release(
        actor=actor,
        group=group,
        door=door,
        event=audit_events.READING_FORCE_RELEASED,
        reason=reason.strip()[:300],
    )
    return group[0]


@transaction.atomic(durable=True)
def reading_hand_off(
    *, actor: Actor, item_id: int, to_user_id: int, at: datetime.datetime, door: str = "page"
) -> ReadingItem:
    """Leave an exam to another reader: it goes to the head of that reader's own list.

    Raises:
        NotFoundError: no such exam, or no such reader at its site.
        ClaimedByOtherError: a third reader has it open.
    """
    group = _locked(actor, item_id, Permission.READING_CLAIM)
    steps.group_claim(actor=actor, group=group, at=at, door=door)
    reader = readers_for(actor, group[0]).filter(pk=to_user_id).first()
    if reader is None:
        message = "No such reader works at this exam's site."
        raise NotFoundError(message, field="reader")
    for item in group:
        item.assigned_to, item.handed_by_id = reader, actor.user_id
        item.save(update_fields=["assigned_to", "handed_by"])
    steps.group_release(
        actor=actor,
        group=group,
        door=door,
        event=audit_events.READING_HANDED_OFF,
        to=reader.pk,
    )
    return group[0]


@transaction.atomic(durable=True)
def reading_next(
    *,
    actor: Actor,
    at: datetime.datetime,
    filters: ReadingFilters | None = None,
    door: str = "page",
) -> ReadingItem:
    """Claim the first exam of the list that nobody has: handed to the actor first.

    Raises:
        NothingToReadError: no such exam.
    """
    policy.require(actor, Permission.READING_CLAIM)
    for key in candidates_for(actor, filters or ReadingFilters(), at):
        try:
            group = _locked(actor, key, Permission.READING_CLAIM)
            if claim_holds(group[0], at):
                continue  # the actor's other page was faster
            steps.group_claim(actor=actor, group=group, at=at, door=door)
        except (steps.ClaimedByOtherError, steps.AlreadyReadError, NotFoundError):
            continue  # somebody was faster; nothing was written
        return group[0]
    raise NothingToReadError


@transaction.atomic(durable=True)
def reading_filter_save(*, actor: Actor, name: str, filters: ReadingFilters) -> ReadingFilter:
    """Keep a set of filters as a list of the reader's own, under a name.

    Raises:
        InvalidInputError: no name, or nothing is filtered.
    """
    policy.require(actor, Permission.READING_READ)
    title, values = " ".join(name.split())[:40], filters.as_dict()
    if not title or not values:
        message = "A list of your own needs a name and at least one filter."
        raise InvalidInputError(message, field="name")
    user = User.objects.get(pk=actor.user_id or 0)
    row, _ = ReadingFilter.objects.update_or_create(
        user=user, name=title, defaults={"filters": values}
    )
    record(
        actor=actor,
        event=audit_events.READING_FILTER_SAVED,
        door="page",
        key=f"reading-filter:{row.pk}",
    )
    return row


@transaction.atomic(durable=True)
def reading_filter_delete(*, actor: Actor, filter_id: int) -> None:
    """Delete one of the reader's own lists.

    Raises:
        NotFoundError: the reader has no such list.
    """
    row = ReadingFilter.objects.filter(pk=filter_id, user=actor.user_id).first()
    if row is None:
        raise NotFoundError(reading_filter=filter_id)
    row.delete()
    record(
        actor=actor,
        event=audit_events.READING_FILTER_DELETED,
        door="page",
        key=f"reading-filter:{filter_id}",
    )


def _locked(actor: Actor, item_id: int, permission: Permission) -> list[ReadingItem]:
    """Lock the item's group; what the actor may not have does not exist."""
    if not ReadingItem.objects.filter(pk=item_id).exists():
        raise NotFoundError(reading_item=item_id)
    group = steps.group_lock(item_id)
    if not policies.allows(actor, permission, group[0]):
        raise NotFoundError(reading_item=item_id)
    return group
