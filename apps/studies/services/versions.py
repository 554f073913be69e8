"""Versions of one image: finding out in what they differ, and a person's choice of the current one.

Reading and decoding lie before the commands, never inside.
"""

import datetime
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.audit.steps import record
from apps.core import live
from apps.core.actors import Actor
from apps.core.errors import ConflictError, DomainError
from apps.studies import audit_events
from apps.studies.domain import Difference
from apps.studies.imaging.compare import Comparison, compare
from apps.studies.ingest.rows import lock_studies
from apps.studies.ingest.studies import SERIES_TEXTS
from apps.studies.models import Instance, InstanceVersion, Series, Study, StudyAttention
from apps.studies.steps import OTHER_VERSION
from apps.studies.versions import (
    Kept,
    current_kept,
    current_source,
    instance_access,
    version_access,
    version_kept,
    why_not_current,
)

TRIES = 3
GRAVITY = [difference.value for difference in Difference]
STUDY_TEXTS = ("study_date", "study_time", "timezone_offset", "study_id", "study_description")
STOPPED = "Comparing it stopped three times without an answer; look at the two yourself."


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person decided: the stored object that is current now, and the one that was."""

    instance: Instance
    current_id: int
    before_id: int


def versions_compare(*, at: datetime.datetime) -> int:
    """Compare every version that waits with the current one of its image; return how many."""
    count = 0
    while (version := _version_claim(at)) is not None:
        instance = version.instance
        try:
            found = compare(current_kept(instance).item, version_kept(instance, version).item)
        except DomainError as error:
            found = Comparison(Difference.UNKNOWN, error.message)
        _version_compared(version, found, at)
        count += 1
    return count


@transaction.atomic(durable=True)
def _version_claim(at: datetime.datetime) -> InstanceVersion | None:
    """Take the next version; one that stopped the comparison again and again is passed over."""
    waiting = InstanceVersion.objects.select_for_update(skip_locked=True, of=("self",)).filter(
        compared_at=None
    )
    for stopped in waiting.filter(attempts__gte=TRIES):
        _write(stopped, Comparison(Difference.UNKNOWN, STOPPED), at)
    version = (
        waiting.filter(attempts__lt=TRIES)
        .select_related("stored_object", "instance__stored_object", "instance__series__study")
        .order_by("attempts", "pk")
        .first()
    )
    if version is not None:
        InstanceVersion.objects.filter(pk=version.pk).update(attempts=F("attempts") + 1)
    return version


@transaction.atomic(durable=True)
def _version_compared(seen: InstanceVersion, found: Comparison, at: datetime.datetime) -> None:
    """Write what was found, unless one of the two is another by now: then it is compared anew."""
    version = (
        InstanceVersion.objects.select_for_update(of=("self",))
        .select_related("instance")
        .get(pk=seen.pk)
    )
    now = (version.stored_object_id, version.instance.stored_object_id)
    if now == (seen.stored_object_id, seen.instance.stored_object_id):
        _write(version, found, at)


def _write(version: InstanceVersion, found: Comparison, at: datetime.datetime) -> None:
    version.difference, version.difference_words = found.difference.value, found.words[:300]
    version.differing_frame, version.compared_at = found.frame, at
    version.save(update_fields=["difference", "difference_words", "differing_frame", "compared_at"])
    gravest = max(
        InstanceVersion.objects.filter(instance=version.instance_id).exclude(difference=""),
        key=lambda one: (GRAVITY.index(one.difference), one.pk),
    )
    StudyAttention.objects.filter(
        kind=OTHER_VERSION, key=version.instance.sop_instance_uid, resolved_at=None
    ).update(summary=f"An image came again. {gravest.difference_words}"[:300])
    live.notify(live.ATTENTION)


def version_choose(
    *, actor: Actor, instance_id: int, stored_object_id: int, at: datetime.datetime
) -> Choice:
    """Make one of an image's data sets the current one, because a person says so.

    From then on every door gives, finds and counts that one; the one before is kept as a version.
    Naming the current one says that it stays. Either way the open item is closed.

    Raises:
        NotFoundError: image or data set are absent, or hidden from the actor.
        ConflictError: it cannot take the place of the current one, or another was chosen meanwhile.
    """
    instance = instance_access(actor, instance_id)
    seen = instance.stored_object_id
    chosen = None
    if stored_object_id != seen:
        chosen = version_kept(instance, version_access(instance, stored_object_id))
        reason = why_not_current(instance, chosen)
        if reason:
            raise ConflictError(reason)
    return _choose(actor, instance, seen, chosen, at)


def version_choice_undo(
    *, actor: Actor, instance_id: int, current_id: int, before_id: int, at: datetime.datetime
) -> Choice:
    """Take a choice back: what was current before is so again, and the item stands open.

    Raises:
        NotFoundError: as with `version_choose`.
        ConflictError: another choice was made since.
    """
    instance = instance_access(actor, instance_id)
    if instance.stored_object_id != current_id:
        raise ConflictError
    chosen = None
    if before_id != current_id:
        chosen = version_kept(instance, version_access(instance, before_id))
    return _choose(actor, instance, current_id, chosen, at, undo=True)


@transaction.atomic(durable=True)
def _choose(
    actor: Actor,
    seen: Instance,
    seen_object_id: int,
    chosen: Kept | None,
    at: datetime.datetime,
    *,
    undo: bool = False,
) -> Choice:
    policy.require(actor, Permission.STUDY_RECONCILE)
    [study] = lock_studies([seen.series.study.study_instance_uid]).values()
    instance = Instance.objects.select_for_update(of=("self",)).get(pk=seen.pk)
    instance_access(actor, instance.pk)
    if instance.stored_object_id != seen_object_id:
        raise ConflictError
    if chosen is not None:
        _swap(study, instance, chosen)
    event = audit_events.VERSION_UNDONE if undo else audit_events.VERSION_CHOSEN
    record(
        actor=actor,
        event=event,
        door="page",
        patient=study.patient_id,
        study=study.study_instance_uid,
        key=f"instance:{instance.pk}",
        instance=instance.sop_instance_uid,
        current=instance.stored_object_id,
        before=seen_object_id,
    )
    _settle_item(instance, actor, at, reopen=undo, kept=chosen is None)
    live.notify(live.ATTENTION)
    live.notify(live.READING_LIST, str(study.pk))
    return Choice(instance, instance.stored_object_id, seen_object_id)


def _swap(study: Study, instance: Instance, chosen: Kept) -> None:
    """Let the two change places, with all that the index says of them."""
    assert chosen.version is not None
    version = InstanceVersion.objects.select_for_update().get(pk=chosen.version.pk)
    if version.stored_object_id != chosen.stored.pk:
        raise ConflictError
    sources = version.source, current_source(instance)
    InstanceVersion.objects.filter(instance=instance).update(
        current_source="", compared_at=None, attempts=0, difference="", differing_frame=None
    )
    version.refresh_from_db()
    version.stored_object_id = instance.stored_object_id
    version.current_source, version.source = sources
    version.received_at, instance.received_at = instance.received_at, version.received_at
    version.save(update_fields=["stored_object", "source", "current_source", "received_at"])
    received = chosen.received
    instance.stored_object_id = chosen.stored.pk
    instance.pixel_offset, instance.pixel_length = received.pixel_offset, received.pixel_length
    values = {name: received.texts[name] for name in ("instance_number", "content_date")}
    values["content_time"] = received.texts["content_time"]
    for name, value in (values | received.numbers).items():
        setattr(instance, name, value)
    instance.save()
    _follow(study, instance, received.texts)


def _follow(study: Study, instance: Instance, texts: dict[str, str]) -> None:
    """Count both versions up, for what is built from them, and follow the first image's words.

    A study and a series take their own attributes from the image that came first.
    """
    series = Series.objects.get(pk=instance.series_id)
    series.version += 1
    of_series = Instance.objects.filter(series=series).order_by("pk").values_list("pk", flat=True)
    if of_series.first() == instance.pk:
        for name in SERIES_TEXTS:
            setattr(series, name, texts[name])
    series.save()
    study.version += 1
    of_study = Instance.objects.filter(series__study=study).order_by("pk")
    if of_study.values_list("pk", flat=True).first() == instance.pk:
        for name in STUDY_TEXTS:
            setattr(study, name, texts[name])
        study.referring_physician_name = texts["referring_physician_name"]
    found = Series.objects.filter(study=study).exclude(modality="")
    study.modalities_in_study = sorted(set(found.values_list("modality", flat=True)))
    study.save()


def _settle_item(
    instance: Instance, actor: Actor, at: datetime.datetime, *, reopen: bool, kept: bool
) -> None:
    """Close the image's open item, or open again the one that was closed last."""
    items = StudyAttention.objects.filter(kind=OTHER_VERSION, key=instance.sop_instance_uid)
    if not reopen:
        words = "The current one stays" if kept else "Another version was made the current one"
        items.filter(resolved_at=None).update(
            resolved_at=at, resolved_by=actor.display[:200], resolution=words
        )
        return
    last = items.exclude(resolved_at=None).order_by("-resolved_at", "-pk").first()
    if last is not None and not items.filter(resolved_at=None).exists():
        last.resolved_at, last.resolved_by, last.resolution = None, "", ""
        last.save(update_fields=["resolved_at", "resolved_by", "resolution"])
