"""Writing a batch's index rows: one statement a table, no lock per instance."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection
from django.db.models import Count

from apps.archive.steps import object_record
from apps.studies.domain import Completeness
from apps.studies.ingest.received import Received
from apps.studies.ingest.statement import Arrival, file_new
from apps.studies.models import Instance, InstanceVersion, Series, Study

REOPENED = "more images came after it was complete"
REFRESHED = (
    *("completeness", "completeness_evidence", "judged_at"),
    *("number_of_series", "modalities_in_study"),
)


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of one object of the batch.

    Attributes:
        new: its UID was not here.
        version: its UID was, with another data set.
        kept: that data set came for the first time.
    """

    received: Received
    instance_id: int
    new: bool
    version: bool = False
    kept: bool = False


def file_instances(
    batch: Sequence[tuple[Received, Series]], *, source: str, at: datetime.datetime
) -> list[Filed]:
    """Write objects, locations and instances; tell new ones, repeats and other versions apart.

    The same data set again is no second copy; another one is kept as a version. Counts of instances
    are brought up to date here, for the studies are locked and every writer of a series holds its
    study.

    Raises:
        django.db.IntegrityError: two writers of one SOP Instance UID met at the unique index, and
            the other was faster; record the batch again.
    """
    first: dict[str, tuple[Received, Series]] = {}
    for received, series in batch:
        first.setdefault(received.sop_instance_uid, (received, series))
    known = _digests(first)
    fresh = [pair for uid, pair in first.items() if uid not in known]
    created = file_new([Arrival(received) for received, _ in fresh], at=at) if fresh else {}
    if len(created) < len(fresh):
        message = "a locked study or its series is gone"
        raise RuntimeError(message)
    result = []
    for received, _ in batch:
        uid = received.sop_instance_uid
        if uid in created and first[uid][0] is received:
            result.append(Filed(received, created[uid], new=True))
            continue
        instance_id, digest = known.get(uid) or (created[uid], first[uid][0].staged.digest)
        same = digest == received.staged.digest
        if not same and not _version_known(instance_id, received.staged.digest):
            _add_version(instance_id, received, source, at)
            result.append(Filed(received, instance_id, new=False, version=True, kept=True))
        else:
            result.append(Filed(received, instance_id, new=False, version=not same))
    return result


def where_they_are(batch: Sequence[Received]) -> list[Received]:
    """Return the batch with study and series of what is here already, or comes before in it.

    What comes again belongs to its first, whatever study and series it names now; so none is made
    that would stay empty.
    """
    homes = {
        uid: {"study_instance_uid": study, "series_instance_uid": series}
        for uid, study, series in Instance.objects.filter(
            sop_instance_uid__in={received.sop_instance_uid for received in batch}
        ).values_list(
            "sop_instance_uid", "series__study__study_instance_uid", "series__series_instance_uid"
        )
    }
    result = []
    for received in batch:
        home = homes.setdefault(
            received.sop_instance_uid,
            {
                "study_instance_uid": received.study_instance_uid,
                "series_instance_uid": received.series_instance_uid,
            },
        )
        elsewhere = any(received.uids[name] != uid for name, uid in home.items())
        result.append(replace(received, uids=received.uids | home) if elsewhere else received)
    return result


def refresh_studies(studies: Sequence[Study], fresh: Sequence[tuple[Received, Series]]) -> None:
    """Bring up to date what new instances change of their studies beside the counts of instances.

    A study that was settled receives again; one with a new series counts its series anew.

    Args:
        studies: of the fresh instances, locked.
        fresh: the instances that are new, each with its series as it was before them.
    """
    totals = _series_of({one.study_id for _, one in fresh if not one.number_of_instances})
    for study in studies:
        before = (study.completeness, study.number_of_series, study.modalities_in_study)
        if study.pk in totals:
            study.number_of_series, modalities = totals[study.pk]
            study.modalities_in_study = [modality for modality in modalities if modality]
        if study.completeness != Completeness.RECEIVING:
            study.completeness_evidence = REOPENED if study.completed_at else ""
            study.judged_at = None
        study.completeness = Completeness.RECEIVING.value
        if before != (study.completeness, study.number_of_series, study.modalities_in_study):
            values = {name: getattr(study, name) for name in REFRESHED}
            Study.objects.filter(pk=study.pk).update(**values)


def _series_of(study_ids: set[int]) -> dict[int, tuple[int, list[str]]]:
    """Return, by study, how many series it has and their modalities."""
    if not study_ids:
        return {}
    rows = Series.objects.filter(study__in=study_ids).values_list("study_id")
    return {
        study_id: (count, modalities)
        for study_id, count, modalities in rows.annotate(
            count=Count("pk"), modalities=ArrayAgg("modality", distinct=True, order_by="modality")
        )
    }


def _digests(wanted: dict[str, tuple[Received, Series]]) -> dict[str, tuple[int, str]]:
    if not wanted:
        return {}
    rows = Instance.objects.filter(sop_instance_uid__in=list(wanted)).values_list(
        "sop_instance_uid", "pk", "stored_object__digest"
    )
    return {uid: (pk, digest) for uid, pk, digest in rows}


def _version_known(instance_id: int, digest: str) -> bool:
    return InstanceVersion.objects.filter(
        instance=instance_id, stored_object__digest=digest
    ).exists()


def _add_version(instance_id: int, received: Received, source: str, at: datetime.datetime) -> None:
    InstanceVersion.objects.create(
        instance_id=instance_id,
        stored_object=object_record(staged=received.staged, at=at),
        source=source,
        received_at=at,
    )


def lock_studies(uids: Sequence[str]) -> dict[str, Study]:
    """Lock the studies in the order of their UIDs, so that batches never deadlock."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'")
    rows = (
        Study.objects.select_for_update(of=("self",))
        .select_related("patient__survivor", "site")
        .filter(study_instance_uid__in=uids)
        .order_by("study_instance_uid")
    )
    return {study.study_instance_uid: study for study in rows}
