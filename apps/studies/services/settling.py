"""Judging studies that receive: when they have gone quiet, and when what was named is here."""

import datetime

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from apps.accounts.domain import Permission
from apps.archive.models import Location
from apps.archive.reading import Copy, read
from apps.archive.storage import StorageError
from apps.audit.steps import record
from apps.core.actors import Actor
from apps.core.errors import ConflictError
from apps.studies import audit_events
from apps.studies.completeness import Counted
from apps.studies.domain import ClaimKind, Completeness
from apps.studies.header import HeaderError, can_scan, is_explicit, scan
from apps.studies.judging import QUIET, study_judge
from apps.studies.models import Instance, Study, StudyClaim
from apps.studies.selectors import study_access

BATCH = 200
PAUSE = datetime.timedelta(seconds=15)
LOOK_AGAIN = datetime.timedelta(minutes=5)
HEAD_BYTES = 64 * 1024
SERIES_LOOKED_AT = 100
IMAGES_IN_ACQUISITION = 0x00201002
SERIES_TYPE = 0x00541000
PET_TYPES = ("STATIC", "WHOLE BODY", "DYNAMIC", "GATED")
PET_COUNTS = (0x00540081, 0x00540101, 0x00540061, 0x00540071)
"""Number of Slices, of Time Slices, of R-R Intervals, of Time Slots (PS3.3 C.8.9.1.1.9)."""


def studies_settle(*, actor: Actor, at: datetime.datetime, limit: int = BATCH) -> int:
    """Judge receiving studies anew of which there may be something new to say; return how many.

    A study is quiet when nothing was added for a minute. One of which a scanner has named the
    images is looked at sooner, one that a scanner is still at work on again and again.
    """
    found = list(_due(at).values_list("pk", flat=True)[:limit])
    del actor  # the system's own judgement; the event and the row say so
    return sum(_settle(key, _counted(key), at) for key in found)


def _due(at: datetime.datetime) -> QuerySet[Study]:
    named = StudyClaim.objects.filter(study_instance_uid=OuterRef("study_instance_uid"), ended=True)
    quiet_after = F("last_received_at") + QUIET
    return (
        Study.objects.filter(completeness=Completeness.RECEIVING)
        .filter(Q(last_received_at__lt=at - QUIET) | Exists(named))
        .filter(
            Q(judged_at=None)
            | Q(judged_at__lt=at - LOOK_AGAIN)
            | Q(judged_at__lt=at - PAUSE, judged_at__lte=quiet_after)
        )
        .order_by(F("judged_at").asc(nulls_first=True), "pk")
    )


@transaction.atomic(durable=True)
def _settle(key: int, counted: list[Counted], at: datetime.datetime) -> bool:
    study = (
        Study.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("site")
        .filter(pk=key, completeness=Completeness.RECEIVING)
        .first()
    )
    if study is None:
        return False
    study_judge(study=study, at=at, counted=counted)
    return True


@transaction.atomic(durable=True)
def study_accept(*, actor: Actor, study_instance_uid: str, at: datetime.datetime) -> Study:
    """Call a study complete as it is, because a person says so; until more comes.

    Raises:
        NotFoundError: absent, or hidden from the actor.
        ConflictError: it is complete.
    """
    study = _locked(actor, study_instance_uid)
    if study.completeness == Completeness.COMPLETE:
        message = "The study is complete already."
        raise ConflictError(message)
    StudyClaim.objects.update_or_create(
        study_instance_uid=study_instance_uid,
        kind=ClaimKind.PERSON.value,
        reference=actor.key,
        defaults={"source": actor.display[:100], "ended": True, "said_at": at},
    )
    study_judge(study=study, at=at, quiet=True)
    _tell(actor, study, audit_events.ACCEPTED)
    return study


@transaction.atomic(durable=True)
def study_accept_undo(*, actor: Actor, study_instance_uid: str, at: datetime.datetime) -> Study:
    """Take back that a study was called complete as it is, and judge it as before.

    Raises:
        NotFoundError: absent, or hidden from the actor; or nobody called it so.
    """
    study = _locked(actor, study_instance_uid)
    gone, _ = StudyClaim.objects.filter(
        study_instance_uid=study_instance_uid, kind=ClaimKind.PERSON.value
    ).delete()
    if not gone:
        message = "Nobody called it complete."
        raise ConflictError(message)
    study.completed_at = None
    study_judge(study=study, at=at, quiet=True)
    _tell(actor, study, audit_events.ACCEPT_UNDONE)
    return study


def _locked(actor: Actor, study_instance_uid: str) -> Study:
    found = study_access(actor, study_instance_uid, Permission.STUDY_RECONCILE)
    rows = Study.objects.select_for_update(of=("self",)).select_related("site")
    return rows.get(pk=found.pk)


def _tell(actor: Actor, study: Study, event: str) -> None:
    record(
        actor=actor,
        event=event,
        door="page",
        patient=study.patient_id,
        study=study.study_instance_uid,
        images=study.number_of_instances,
        evidence=study.completeness_evidence,
    )


def _counted(study_id: int) -> list[Counted]:
    """Read how many images there should be from one header of each series.

    Images in Acquisition counts over series, so that fewer in the whole study are too few; PET
    says how many images its series has.
    """
    found, largest, total = [], 0, 0
    for number, images, frames, stored, offset, size, syntax in (
        Instance.objects.filter(series__study=study_id)
        .order_by("series_id", "pk")
        .distinct("series_id")
        .values_list(
            "series__series_number", "series__number_of_instances", "number_of_frames",
            "stored_object", "stored_object__dataset_offset",
            "stored_object__size_bytes", "stored_object__transfer_syntax_uid",
        )[:SERIES_LOOKED_AT]
    ):  # fmt: skip
        total += images
        if (frames or 1) > 1 or not can_scan(syntax):
            continue
        try:
            head = read(_copies(stored), offset, min(HEAD_BYTES, size - offset))
            header = scan(head, explicit=is_explicit(syntax))
        except (StorageError, HeaderError):
            continue  # no evidence; what is damaged is noted where it is read
        largest = max(largest, header.integer(IMAGES_IN_ACQUISITION) or 0)
        if header.first(SERIES_TYPE) in PET_TYPES and (slices := header.integer(PET_COUNTS[0])):
            for tag in PET_COUNTS[1:]:
                slices *= header.integer(tag) or 1
            found.append(Counted(f"PET series {number}".strip(), slices, images))
    if largest:
        found.append(Counted("their acquisition", largest, total))
    return found


def _copies(stored: int) -> list[Copy]:
    rows = Location.objects.filter(stored_object=stored, status=Location.Status.AVAILABLE)
    return [Copy(*row) for row in rows.order_by("pk").values_list("storage", "key")]
