"""Writing a batch's index rows: one statement a table, no lock per instance."""

import datetime
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection
from django.db.models import Count, Sum

from apps.archive.models import Location, StoredObject
from apps.studies.ingest.received import Received
from apps.studies.models import Instance, InstanceVersion, Series, Study


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of one object of the batch."""

    received: Received
    instance_id: int
    new: bool
    version: bool = False


def file_instances(
    batch: Sequence[tuple[Received, Series]], *, source: str, at: datetime.datetime
) -> list[Filed]:
    """Write objects, locations and instances; tell new ones, repeats and other versions apart.

    Two writers of one SOP Instance UID meet at the unique index: the later waits for the earlier,
    and finds its row. The same data set again is no second copy; another one is kept as a version.
    """
    first: dict[str, tuple[Received, Series]] = {}
    for received, series in batch:
        first.setdefault(received.sop_instance_uid, (received, series))
    known = _digests(first)
    fresh = [pair for uid, pair in first.items() if uid not in known]
    created = _create(fresh, at)
    if len(created) < len(fresh):  # another writer was faster with some
        known |= _digests(
            {r.sop_instance_uid: (r, s) for r, s in fresh if r.sop_instance_uid not in created}
        )
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
            result.append(Filed(received, instance_id, new=False, version=True))
        else:
            result.append(Filed(received, instance_id, new=False, version=not same))
    return result


def refresh_counts(
    studies: Sequence[Study], series: Sequence[Series], at: datetime.datetime
) -> None:
    """Bring the counts and unions of touched rows up to date; the studies are locked."""
    counted = dict(
        Instance.objects.filter(series__in=series).values_list("series").annotate(n=Count("pk"))
    )
    for one in series:
        one.number_of_instances = counted.get(one.pk, 0)
        one.version += 1
    Series.objects.bulk_update(series, ["number_of_instances", "version"])
    totals = {
        study_id: totals
        for study_id, *totals in Series.objects.filter(study__in=studies)
        .values_list("study_id")
        .annotate(
            series_count=Count("pk"),
            instance_count=Sum("number_of_instances"),
            modalities=ArrayAgg("modality", distinct=True, order_by="modality"),
        )
    }
    classes: dict[int, set[str]] = defaultdict(set)
    for study_id, sop_class in (
        Instance.objects.filter(series__in=series)
        .values_list("series__study_id", "sop_class_uid")
        .distinct()
    ):
        classes[study_id].add(sop_class)
    for study in studies:
        study.number_of_series, study.number_of_instances, modalities = totals[study.pk]
        study.modalities_in_study = [modality for modality in modalities if modality]
        study.sop_classes_in_study = sorted({*study.sop_classes_in_study, *classes[study.pk]})
        study.last_received_at = at
        study.version += 1


def _digests(wanted: dict[str, tuple[Received, Series]]) -> dict[str, tuple[int, str]]:
    if not wanted:
        return {}
    rows = Instance.objects.filter(sop_instance_uid__in=list(wanted)).values_list(
        "sop_instance_uid", "pk", "stored_object__digest"
    )
    return {uid: (pk, digest) for uid, pk, digest in rows}


def _create(fresh: Sequence[tuple[Received, Series]], at: datetime.datetime) -> dict[str, int]:
    """Insert what no other writer inserted first; return primary keys by SOP Instance UID."""
    if not fresh:
        return {}
    objects = _store([received for received, _ in fresh], at)
    Instance.objects.bulk_create(
        [
            Instance(
                series=series,
                sop_instance_uid=received.sop_instance_uid,
                sop_class_uid=received.uids["sop_class_uid"],
                instance_number=received.texts["instance_number"],
                stored_object=stored,
                content_date=received.texts["content_date"],
                content_time=received.texts["content_time"],
                pixel_offset=received.pixel_offset,
                pixel_length=received.pixel_length,
                received_at=at,
                **received.numbers,
            )
            for (received, series), stored in zip(fresh, objects, strict=True)
        ],
        ignore_conflicts=True,
    )
    mine = {stored.pk: received for (received, _), stored in zip(fresh, objects, strict=True)}
    created = {
        mine[object_id].sop_instance_uid: pk
        for pk, object_id in Instance.objects.filter(stored_object__in=objects).values_list(
            "pk", "stored_object"
        )
    }
    orphans = [pk for pk, received in mine.items() if received.sop_instance_uid not in created]
    if orphans:
        Location.objects.filter(stored_object__in=orphans).delete()
        StoredObject.objects.filter(pk__in=orphans).delete()
    return created


def _store(batch: Sequence[Received], at: datetime.datetime) -> list[StoredObject]:
    objects = StoredObject.objects.bulk_create(
        StoredObject(
            digest=received.staged.digest,
            size_bytes=received.staged.size_bytes,
            dataset_offset=received.staged.dataset_offset,
            transfer_syntax_uid=received.staged.transfer_syntax_uid,
            stored_at=at,
        )
        for received in batch
    )
    Location.objects.bulk_create(
        Location(stored_object=stored, storage=received.staged.storage, key=received.staged.key)
        for received, stored in zip(batch, objects, strict=True)
    )
    return objects


def _version_known(instance_id: int, digest: str) -> bool:
    return InstanceVersion.objects.filter(
        instance=instance_id, stored_object__digest=digest
    ).exists()


def _add_version(instance_id: int, received: Received, source: str, at: datetime.datetime) -> None:
    InstanceVersion.objects.create(
        instance_id=instance_id,
        stored_object=_store([received], at)[0],
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
