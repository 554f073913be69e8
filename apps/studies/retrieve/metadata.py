"""A series' DICOM JSON: built once per (series version, patient version), served as stored."""

import gzip
from collections.abc import Sequence

import orjson
from django.db import transaction
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian

from apps.archive.reading import NoCopyError
from apps.core import clock
from apps.studies.dicom_json import JsonElement, dataset_json
from apps.studies.identity import Identity
from apps.studies.models import Series, SeriesMetadata
from apps.studies.retrieve.outgoing import read_header
from apps.studies.retrieve.select import Item

BASE_TOKEN = b"@@ISOCENTER-BASE@@"
COMPRESSION = 5
PIXEL_DATA = "7FE00010"


def series_metadata(
    *, series_instance_uid: str, study_id: int, items: Sequence[Item], identity: Identity | None
) -> bytes:
    """Return the series' instances as a gzipped JSON array, `BASE_TOKEN` for our address.

    Kept in the database under the versions it was built from; any later store or change of identity
    makes it anew. An instance of which no good copy is left is not in it, and it is then not kept.

    Args:
        series_instance_uid: (0020,000E).
        study_id: primary key of the study.
        items: all instances of the series.
        identity: what goes out in place of the received identity.

    Raises:
        NoCopyError: of no instance is a good copy left.
    """
    series = Series.objects.select_related("study__patient__survivor").get(
        study=study_id, series_instance_uid=series_instance_uid
    )
    patient = series.study.patient.survivor or series.study.patient
    versions = (series.version, patient.version)
    kept = SeriesMetadata.objects.filter(pk=series.pk).first()
    if kept and (kept.series_version, kept.patient_version) == versions:
        return bytes(kept.body)
    prefix = f"/studies/{series.study.study_instance_uid}/series/{series_instance_uid}"
    rows, lost = [], None
    for item in items:
        try:
            rows.append(_instance(item, identity, prefix))
        except NoCopyError as error:
            lost = error
    body = gzip.compress(orjson.dumps(rows), COMPRESSION, mtime=0)
    if lost is not None:
        if not rows:
            raise lost
        return body
    with transaction.atomic():
        SeriesMetadata.objects.update_or_create(
            series=series,
            defaults={
                "series_version": versions[0],
                "patient_version": versions[1],
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
    return _instance(item, identity, prefix)


def _instance(item: Item, identity: Identity | None, prefix: str) -> dict[str, JsonElement]:
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
