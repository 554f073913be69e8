"""Steps of the reading list, for commands of this app and of those above."""

import datetime
from collections.abc import Collection
from typing import Any

from django.db import IntegrityError
from django.db.models import Q

from apps.accounts.domain import Confidentiality
from apps.audit.steps import record
from apps.core import live
from apps.core.actors import Actor
from apps.core.errors import DomainError, NotPermittedError
from apps.core.steps import require_transaction, savepoint
from apps.orders.models import RequestedProcedure
from apps.studies.models import Study, StudyMatch
from apps.worklists import audit_events
from apps.worklists.models import ReadingItem
from apps.worklists.reading.domain import due_at, priority_rank
from apps.worklists.reading.selectors import claim_holds

State = ReadingItem.State
NOT_READ = frozenset({"SR", "KO", "PR", "SEG", "REG", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE"})
"""Modalities whose objects alone are nothing to read."""
RESTRICTION = tuple(c.value for c in Confidentiality)
"""From least to most restricted."""


class ClaimedByOtherError(DomainError):
    """Another reader has the study open."""

    code = "worklists.reading-claimed"


class AlreadyReadError(DomainError):
    """The exam's report is signed: nothing is left to claim."""

    code = "worklists.reading-done"
    message = "This exam has been read. Its report can be opened from the patient's page."


def study_sync(*, study_id: int, at: datetime.datetime) -> list[ReadingItem]:
    """Make the reading list agree with what a study is matched to, and return its items.

    Calling it again changes nothing. A study that gained its order hands its line, with reader and
    draft, to the exam; a line that lost its last study goes, unless somebody works on it.
    """
    require_transaction()
    study = Study.objects.select_related("patient", "site").get(pk=study_id)
    matched = StudyMatch.objects.filter(study=study)
    exams: list[RequestedProcedure] = []
    if keys := list(matched.values_list("requested_procedure_id", flat=True)):
        exams = list(
            RequestedProcedure.objects.filter(pk__in=keys)
            .select_related("order__patient", "order__site")
            .order_by("pk")
        )
    _drop_unmatched(study, keep=exams)
    if exams:
        items = [_exam_item(exam, study, at) for exam in exams]
        _absorb(study, items[0])
    elif set(study.modalities_in_study) <= NOT_READ:
        items = []
    else:
        items = [_study_item(study, at)]
    live.notify(live.READING_LIST, f"study:{study_id}")
    return items


def group_lock(item_id: int) -> list[ReadingItem]:
    """Lock an item with all that share a study with it, and return them, the item first.

    Two exams scanned as one study are one thing to look at: one reader has both.
    """
    require_transaction()
    item = ReadingItem.objects.get(pk=item_id)
    studies = {item.study_id} if item.study_id else set()
    if item.requested_procedure_id:
        matched = StudyMatch.objects.filter(requested_procedure=item.requested_procedure_id)
        studies |= set(matched.values_list("study_id", flat=True))
    exams = StudyMatch.objects.filter(study__in=studies).values("requested_procedure")
    group = list(
        ReadingItem.objects.select_for_update(of=("self",))
        .select_related("claimed_by", "site")
        .filter(
            Q(pk=item_id)
            | Q(requested_procedure__in=exams)
            | Q(requested_procedure=None, study__in=studies)
        )
        .order_by("pk")
    )
    return sorted(group, key=lambda row: row.pk != item_id)


def group_claim(
    *, actor: Actor, group: Collection[ReadingItem], at: datetime.datetime, door: str
) -> None:
    """Give locked items to the actor, whose own claim is only renewed.

    Raises:
        NotPermittedError: not a person.
        AlreadyReadError: the first of them is read.
        ClaimedByOtherError: somebody has one of them open.
    """
    first = next(iter(group))
    if actor.user_id is None:
        raise NotPermittedError
    if first.state == State.DONE:
        raise AlreadyReadError(reading_item=first.pk)
    for item in group:
        if item.claimed_by_id != actor.user_id and claim_holds(item, at):
            since = f"{item.claimed_at:%H:%M}"
            message = f"{item.claimed_by} has been reading this since {since}."
            raise ClaimedByOtherError(message, reader=str(item.claimed_by), since=since)
    for item in group:
        if item.state == State.DONE:
            continue
        before = item.claimed_by_id
        item.claim_seen_at = at
        if before != actor.user_id:
            item.claimed_by_id, item.claimed_at = actor.user_id, at
            _record(actor, audit_events.READING_CLAIMED, item, door, lapsed=before)
        item.save(update_fields=["claimed_by", "claimed_at", "claim_seen_at"])
        _announce(item)


def group_release(
    *,
    actor: Actor,
    group: Collection[ReadingItem],
    door: str,
    event: str = audit_events.READING_RELEASED,
    **details: Any,
) -> None:
    """Take the claims off locked items, and audit each that had one."""
    for item in group:
        if item.claimed_by_id is None:
            continue
        _record(actor, event, item, door, reader=item.claimed_by_id, **details)
        item.claimed_by = item.claimed_at = item.claim_seen_at = None
        item.save(update_fields=["claimed_by", "claimed_at", "claim_seen_at"])
        _announce(item)


def state_set(
    *,
    exams: Collection[int],
    studies: Collection[int],
    state: ReadingItem.State,
    reader: int | None = None,
) -> None:
    """Say how far reading has come, as the report's command knows it.

    Args:
        exams: keys of the requested procedures the report covers.
        studies: keys of its studies; they count for lines without an order.
        state: the new state; DONE ends the claim.
        reader: whose it is while it is not done.
    """
    require_transaction()
    rows = ReadingItem.objects.select_for_update(of=("self",)).filter(
        Q(requested_procedure__in=exams) | Q(requested_procedure=None, study__in=studies)
    )
    for item in rows.order_by("pk"):
        item.state = state
        item.assigned_to_id = reader
        item.handed_by = None
        if state == State.DONE:
            item.claimed_by = item.claimed_at = item.claim_seen_at = None
        item.save()
        _announce(item)


def _exam_item(exam: RequestedProcedure, study: Study, at: datetime.datetime) -> ReadingItem:
    order = exam.order
    row = ReadingItem.objects.select_for_update(of=("self",)).filter(requested_procedure=exam)
    item = row.first() or _adoptable(study) or ReadingItem(since=study.first_received_at or at)
    item.requested_procedure = exam
    item.study = item.study or study
    item.patient, item.site = order.patient, order.site
    item.confidentiality = max(
        order.confidentiality, order.patient.confidentiality, key=RESTRICTION.index
    )
    item.priority, item.priority_rank = order.priority, priority_rank(order.priority)
    item.due_at = due_at(order.priority, item.since)
    item.modality = exam.modality or _modality(study)
    item.body_part = exam.body_part or study.body_part
    item.description = exam.description
    item.requesting_service = order.requesting_service
    return _save(item, {"requested_procedure": exam})


def _study_item(study: Study, at: datetime.datetime) -> ReadingItem:
    row = ReadingItem.objects.select_for_update(of=("self",)).filter(
        requested_procedure=None, study=study
    )
    item = row.first() or ReadingItem(study=study, since=study.first_received_at or at)
    item.patient, item.site = study.patient, study.site
    item.confidentiality = max(
        study.confidentiality, study.patient.confidentiality, key=RESTRICTION.index
    )
    item.due_at = due_at(item.priority, item.since)
    item.modality, item.body_part = _modality(study), study.body_part
    item.description = study.study_description or "Exam without a name"
    return _save(item, {"requested_procedure": None, "study": study})


def _save(item: ReadingItem, key: dict[str, object]) -> ReadingItem:
    """Save the item; where another transaction made it first, take that one."""
    try:
        with savepoint():
            item.save()
    except IntegrityError:
        return ReadingItem.objects.get(**key)
    return item


def _modality(study: Study) -> str:
    images = [m for m in study.modalities_in_study if m not in NOT_READ]
    return (images or study.modalities_in_study or [""])[0]


def _adoptable(study: Study) -> ReadingItem | None:
    """Return the line the study had without an order: it becomes the exam's."""
    rows = ReadingItem.objects.select_for_update(of=("self",))
    return rows.filter(requested_procedure=None, study=study).first()


def _absorb(study: Study, item: ReadingItem) -> None:
    """End the study's own line where the exam has one already, carrying reader and draft over."""
    lone = _adoptable(study)
    if lone is None:
        return
    untouched = item.state == State.UNREAD and item.claimed_by_id is None
    if lone.state != State.UNREAD or lone.claimed_by_id is not None:
        if not untouched:
            return  # two people work on the two lines: both stay until they are done
        for field in ("state", "claimed_by", "claimed_at", "claim_seen_at", "assigned_to"):
            setattr(item, field, getattr(lone, field))
        item.save()
    lone.delete()


def _drop_unmatched(study: Study, keep: list[RequestedProcedure]) -> None:
    """Take the study out of exams it no longer belongs to."""
    lost = ReadingItem.objects.select_for_update(of=("self",)).filter(
        study=study, requested_procedure__isnull=False
    )
    for item in lost.exclude(requested_procedure__in=keep).order_by("pk"):
        other = StudyMatch.objects.filter(requested_procedure=item.requested_procedure_id).first()
        idle = item.state == State.UNREAD and item.claimed_by_id is None
        if other is None and idle:
            item.delete()
        else:
            item.study_id = other.study_id if other else None
            item.save(update_fields=["study"])


def _record(actor: Actor, event: str, item: ReadingItem, door: str, **details: Any) -> None:
    record(
        actor=actor,
        event=event,
        door=door,
        patient=item.patient_id,
        key=f"reading:{item.pk}",
        **{name: value for name, value in details.items() if value is not None},
    )


def _announce(item: ReadingItem) -> None:
    live.notify(live.READING_LIST, f"item:{item.pk}")
