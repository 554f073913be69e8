"""Writing a batch's index rows: one statement a table, no lock per instance."""

import datetime
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection
from django.db.models import Count

from apps.archive.models import Location, StoredObject
from apps.studies.ingest.received import Received
from apps.studies.models import Instance, InstanceVersion, Series, Study

COUNTED = (
    *("number_of_series", "number_of_instances", "modalities_in_study", "sop_classes_in_study"),
    *("last_received_at", "version", "completeness", "completeness_evidence"),
)


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
    studies: Sequence[Study], fresh: Sequence[tuple[Received, Series]], at: datetime.datetime
) -> None:
    """Bring the counts and unions of touched rows up to date and save them.

    The studies are locked, and every writer of a series holds its study: what was read is what is
    there, so the new instances are added. Only where a series is new is anything counted.

    Args:
        studies: of the fresh instances, locked; what the caller changed of `COUNTED` is saved too.
        fresh: the instances that are new, each with its series.
        at: time of receipt.
    """
    added: dict[int, int] = defaultdict(int)
    series: dict[int, Series] = {}
    classes: dict[int, set[str]] = defaultdict(set)
    with_new_series: set[int] = set()
    for received, one in fresh:
        added[one.study_id] += 1
        classes[one.study_id].add(received.uids["sop_class_uid"])
        if one.pk not in series:
            series[one.pk] = one
            one.version += 1
            if not one.number_of_instances:
                with_new_series.add(one.study_id)
        one.number_of_instances += 1
    for one in series.values():
        Series.objects.filter(pk=one.pk).update(
            number_of_instances=one.number_of_instances, version=one.version
        )
    totals = _series_of(with_new_series) if with_new_series else {}
    for study in studies:
        if study.pk in totals:
            study.number_of_series, modalities = totals[study.pk]
            study.modalities_in_study = [modality for modality in modalities if modality]
        study.number_of_instances += added[study.pk]
        study.sop_classes_in_study = sorted({*study.sop_classes_in_study, *classes[study.pk]})
        study.last_received_at = at
        study.version += 1
        Study.objects.filter(pk=study.pk).update(**{name: getattr(study, name) for name in COUNTED})


def _series_of(study_ids: set[int]) -> dict[int, tuple[int, list[str]]]:
    """Return, by study, how many series it has and their modalities."""
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
