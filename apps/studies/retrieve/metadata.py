"""A series' DICOM JSON: built once per (series version, patient version), served as stored."""

import gzip
from collections.abc import Sequence
from typing import NamedTuple

import orjson
from django.db import transaction
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian

from apps.archive.reading import NoCopyError
from apps.audit.steps import record_read
from apps.core import clock, sql
from apps.core.actors import Actor
from apps.studies import audit_events, statements
from apps.studies.dicom_json import JsonElement, dataset_json
from apps.studies.identity import Identity
from apps.studies.models import Series, SeriesMetadata
from apps.studies.retrieve.outgoing import read_header
from apps.studies.retrieve.select import Item, Selection, select

BASE_TOKEN = b"@@ISOCENTER-BASE@@"
COMPRESSION = 5
PIXEL_DATA = "7FE00010"
_NAMED = ("st.study_instance_uid", "se.series_instance_uid")
_COLUMNS = (
    "st.study_instance_uid, st.patient_id, se.id, se.series_instance_uid, se.version,"
    " coalesce(su.version, p.version), m.body"
)
_FROM = (
    f"{statements.FROM[Series]} {statements.PATIENT_OF_STUDY}"
    " LEFT JOIN patients_patient su ON su.id = p.survivor_id"
    " LEFT JOIN studies_seriesmetadata m ON m.series_id = se.id"
    " AND m.series_version = se.version AND m.patient_version = coalesce(su.version, p.version)"
)


class _Kept(NamedTuple):
    """What is known of a series: the versions it has now, and what was made of just these."""

    study_instance_uid: str
    patient_id: int
    series_id: int
    series_instance_uid: str
    series_version: int
    patient_version: int
    body: bytes | None


def series_metadata(
    *, actor: Actor, door: str, study_instance_uid: str, series_instance_uid: str = ""
) -> list[bytes]:
    """Return each series' instances as a gzipped JSON array, `BASE_TOKEN` for our address.

    Kept in the database under the versions it was built from; any later store or change of identity
    makes it anew. Where all is kept, one statement fetches it and the instances are not looked at.
    An instance of which no good copy is left is not in it, and it is then not kept. Audited as
    `select` is.

    Args:
        actor: who asks.
        door: where.
        study_instance_uid: the study.
        series_instance_uid: the one series wanted; empty for all of the study.

    Raises:
        NotFoundError: nothing is there, or nothing that the actor may have.
        NoCopyError: of no instance of a series is a good copy left.
    """
    uids = [uid for uid in (study_instance_uid, series_instance_uid) if uid]
    named = " AND ".join(f"{column} = %s" for column in _NAMED[: len(uids)])
    allowed, more = statements.visible(actor)
    # before the instances: what is stored in between is then built under a version that is over
    rows = sql.fetch(
        f"SELECT {_COLUMNS} FROM {_FROM}"  # noqa: S608 - values are bound
        f" WHERE {named} AND {allowed} ORDER BY se.id",
        [*uids, *more],
        prepare=True,
        binary=True,
    )
    known = [_Kept(*row) for row in rows]
    bodies = [one.body for one in known if one.body is not None]
    if known and len(bodies) == len(known):
        study, patient = known[0][:2]
        event = audit_events.RETRIEVED
        record_read(actor=actor, event=event, door=door, patient=patient, study=study)
        return bodies
    [selection] = select(
        actor=actor,
        door=door,
        study_instance_uids=[study_instance_uid],
        series_instance_uids=uids[1:],
    )
    by_series: dict[str, list[Item]] = {}
    for item in selection.items:
        by_series.setdefault(item.series_instance_uid, []).append(item)
    of_series = {one.series_instance_uid: one for one in known}
    return [_made(of_series.get(uid), items, selection) for uid, items in by_series.items()]


def _made(kept: _Kept | None, items: Sequence[Item], selection: Selection) -> bytes:
    """Return a series' metadata as kept, or make it; kept is that of the versions known before."""
    if kept is not None and kept.body is not None:
        return kept.body
    rows, lost = [], None
    for item in items:
        try:
            rows.append(instance_metadata(item, selection.identity, selection.study_instance_uid))
        except NoCopyError as error:
            lost = error
    if lost is not None and not rows:
        raise lost
    body = gzip.compress(orjson.dumps(rows), COMPRESSION, mtime=0)
    if lost is None and kept is not None:
        with transaction.atomic():
            SeriesMetadata.objects.update_or_create(
                series_id=kept.series_id,
                defaults={
                    "series_version": kept.series_version,
                    "patient_version": kept.patient_version,
                    "body": body,
                    "built_at": clock.now(),
                },
            )
    return body


def instance_metadata(
    item: Item, identity: Identity | None, study_instance_uid: str
) -> dict[str, JsonElement]:
    """Return one instance's JSON, with `BASE_TOKEN` for our address."""
    prefix = f"/studies/{study_instance_uid}/series/{item.series_instance_uid}"
    ds: Dataset = read_header(item, identity)
    address = f"{BASE_TOKEN.decode()}{prefix}/instances/{item.sop_instance_uid}"

    def bulk_uri(path: tuple[int | str, ...]) -> str:
        steps = (
            f"{step:08X}" if n % 2 == 0 and isinstance(step, int) else str(step)
            for n, step in enumerate(path)
        )
        return f"{address}/bulkdata/{'/'.join(steps)}"

    big_endian = item.transfer_syntax_uid == ExplicitVRBigEndian
    result = dataset_json(ds, bulk_uri, big_endian=big_endian)
    result["00083002"] = {"vr": "UI", "Value": [item.transfer_syntax_uid]}
    if item.pixel_offset is not None or _may_hold_pixels(item, result):
        vr = "OW" if (item.bits_allocated or 8) > 8 else "OB"
        result[PIXEL_DATA] = {"vr": vr, "BulkDataURI": f"{address}/bulkdata/{PIXEL_DATA}"}
    return result


def _may_hold_pixels(item: Item, attributes: dict[str, JsonElement]) -> bool:
    """Where the place of pixels is not known: whether there is room for the image it describes."""
    rows, columns = (attributes.get(tag, {}).get("Value") for tag in ("00280010", "00280011"))
    if not rows or not columns:
        return False
    syntax = UID(item.transfer_syntax_uid)
    if syntax.is_compressed or syntax.is_deflated:
        return True
    native = rows[0] * columns[0] * (item.bits_allocated or 8) // 8
    return item.size_bytes - item.dataset_offset > native
