"""One statement that files new instances of known studies and series: every door's hot path.

Both ways into the index end here. A batch whose studies and series are known and whose instances
are new needs nothing else; it is its own transaction then. For the first images of a study or
series, repeats and versions, `rows.py` first makes or sorts out what is missing, and files the new
instances with the same statement inside its transaction.

All or nothing: where one row does not fit, nothing is written and nothing is returned.
"""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from django.db import connection, models

from apps.archive.models import Location, StoredObject
from apps.core import beside, live, sql
from apps.studies.ingest.received import NUMBERS, Received
from apps.studies.models import Instance

_ROW = {
    "study_instance_uid": "text",
    "series_instance_uid": "text",
    "sop_instance_uid": "text",
    "sop_class_uid": "text",
    "instance_number": "text",
    "content_date": "text",
    "content_time": "text",
    **dict.fromkeys(NUMBERS, "bigint"),
    "pixel_offset": "bigint",
    "pixel_length": "bigint",
    "storage": "text",
    "key": "text",
    "digest": "text",
    "size_bytes": "bigint",
    "dataset_offset": "bigint",
    "transfer_syntax_uid": "text",
    "patient_id": "bigint",
}
_OBJECT = ("digest", "size_bytes", "dataset_offset", "transfer_syntax_uid")
_INSTANCE = (
    *("sop_instance_uid", "sop_class_uid", "instance_number", "content_date", "content_time"),
    *NUMBERS,
    *("pixel_offset", "pixel_length", "series_id", "stored_object_id"),
)
# Known, not settled, of the patient that the audit trail named, and nothing of it waits in
# quarantine: whoever files more than that has somebody to tell.
_QUIET = """
    AND study.completeness = 'RECEIVING'
    AND study.patient_id = arrived.patient_id
    AND NOT EXISTS (SELECT FROM studies_instance known
                    WHERE known.sop_instance_uid = arrived.sop_instance_uid)
    AND NOT EXISTS (SELECT FROM studies_quarantinedobject held
                    WHERE held.state = 'held' AND held.sop_instance_uid = arrived.sop_instance_uid)
"""
AT = "%s::timestamptz"
_STATEMENT = """
WITH arrived AS MATERIALIZED (
    SELECT row.*, series.id AS series_id, series.study_id,
           nextval('archive_storedobject_id_seq') AS stored_object_id
    FROM jsonb_to_recordset(%s::jsonb) AS row({row})
    JOIN studies_study study ON study.study_instance_uid = row.study_instance_uid
    JOIN studies_series series
      ON series.study_id = study.id AND series.series_instance_uid = row.series_instance_uid
), locked AS MATERIALIZED (
    SELECT study.id, study.patient_id, study.completeness FROM studies_study study
    WHERE study.id IN (SELECT study_id FROM arrived)
    ORDER BY study.study_instance_uid FOR NO KEY UPDATE
), fitting AS MATERIALIZED (
    SELECT arrived.* FROM arrived JOIN locked study ON study.id = arrived.study_id {quiet}
), ready AS MATERIALIZED (
    SELECT * FROM fitting WHERE (SELECT count(*) FROM fitting) = %s::bigint
), objects AS (
    INSERT INTO archive_storedobject {object_columns} SELECT {object_values} FROM ready
), locations AS (
    INSERT INTO archive_location {location_columns} SELECT {location_values} FROM ready
), instances AS (
    INSERT INTO studies_instance {instance_columns} SELECT {instance_values} FROM ready
    RETURNING id, sop_instance_uid
), counted AS (
    UPDATE studies_series series
    SET number_of_instances = series.number_of_instances + added.count,
        version = series.version + 1
    FROM (SELECT series_id, count(*) FROM ready GROUP BY series_id) added
    WHERE series.id = added.series_id
), totalled AS (
    UPDATE studies_study study
    SET number_of_instances = study.number_of_instances + added.count,
        version = study.version + 1,
        last_received_at = %s::timestamptz,
        sop_classes_in_study = CASE
            WHEN study.sop_classes_in_study @> added.classes THEN study.sop_classes_in_study
            ELSE ARRAY(SELECT DISTINCT class
                       FROM unnest(study.sop_classes_in_study || added.classes) AS class
                       ORDER BY class)
        END
    FROM (SELECT study_id, count(*), array_agg(DISTINCT sop_class_uid::varchar) AS classes
          FROM ready GROUP BY study_id) added
    WHERE study.id = added.study_id
    RETURNING study.id, study.study_instance_uid
), told AS MATERIALIZED (
    SELECT pg_notify(%s::text, json_build_array(%s::text, totalled.id::text, %s::float)::text)
    FROM totalled WHERE totalled.study_instance_uid = ANY(%s::text[])
)
SELECT instances.sop_instance_uid, instances.id, (SELECT count(*) FROM told) FROM instances
"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A new instance; `patient_id` is that of its study as the caller knows it."""

    received: Received
    patient_id: int | None = None


def file_new(
    batch: Sequence[Arrival],
    *,
    at: datetime.datetime,
    quietly: bool = False,
    tell: Iterable[str] = (),
    durable: Callable[[], None] | None = None,
) -> dict[str, int]:
    """Write objects, locations, instances and counts; return instance keys by SOP Instance UID.

    Studies are locked in the order of their UIDs. The files and their names are durable already, or
    `durable` makes them so.

    Args:
        batch: instances of studies and series that have rows, each UID once.
        at: time of receipt.
        quietly: file nothing where anybody would have to be told: an instance is here already or
            waits in quarantine, its study was settled or belongs to another patient by now.
        tell: UIDs of the studies whose change open pages are told, now and `live.PAUSE_S` later:
            meanwhile the caller need not tell them again.
        durable: called while the database works; it commits after that.

    Returns:
        Empty where one of the batch does not fit: then nothing was written.

    Raises:
        django.db.IntegrityError: another writer was faster with one of the UIDs.
    """
    arrived = orjson.dumps([_row(arrival) for arrival in batch]).decode()
    values: list[beside.Value] = [
        *(arrived, len(batch), at, at, at),  # of the objects, the instances, the studies
        *(live.CHANNEL, live.READING_LIST, live.PAUSE_S, list(tell)),
    ]
    if durable is None:
        rows = sql.fetch(_statement(quietly), values, prepare=True)
    else:
        rows = sql.write_beside(_statement(quietly), values, durable)
    return {uid: int(pk) for uid, pk, _ in rows}


def _row(arrival: Arrival) -> dict[str, Any]:
    received, staged = arrival.received, arrival.received.staged
    return {
        **received.uids,
        "instance_number": received.texts["instance_number"],
        "content_date": received.texts["content_date"],
        "content_time": received.texts["content_time"],
        **received.numbers,
        "pixel_offset": received.pixel_offset,
        "pixel_length": received.pixel_length,
        "storage": staged.storage,
        "key": staged.key,
        "digest": staged.digest,
        "size_bytes": staged.size_bytes,
        "dataset_offset": staged.dataset_offset,
        "transfer_syntax_uid": staged.transfer_syntax_uid,
        "patient_id": arrival.patient_id,
    }


@cache
def _statement(quietly: bool) -> str:  # noqa: FBT001 - the key of the cache
    objects = _insert(
        StoredObject,
        {"id": "stored_object_id", "stored_at": AT} | {name: name for name in _OBJECT},
    )
    locations = _insert(
        Location, {"stored_object_id": "stored_object_id", "storage": "storage", "key": "key"}
    )
    instances = _insert(Instance, {"received_at": AT} | {name: name for name in _INSTANCE})
    return _STATEMENT.format(
        row=", ".join(f'"{name}" {kind}' for name, kind in _ROW.items()),
        quiet=_QUIET if quietly else "",
        object_columns=objects[0],
        object_values=objects[1],
        location_columns=locations[0],
        location_values=locations[1],
        instance_columns=instances[0],
        instance_values=instances[1],
    )


def _insert(model: type[models.Model], given: Mapping[str, str]) -> tuple[str, str]:
    """Return columns and values: what is not given gets the default its field declares."""
    values = {column: value if value == AT else f'"{value}"' for column, value in given.items()}
    for field in model._meta.local_concrete_fields:  # noqa: SLF001 - Django's documented name
        column = field.column or ""
        if column in values or isinstance(field, models.AutoField):
            continue
        if not field.has_default() and not field.null and not field.empty_strings_allowed:
            message = f"{field} has no default: give it a value here"
            raise TypeError(message)
        default = field.get_db_prep_save(field.get_default(), connection)
        values[column] = _literal(default)
    columns = ", ".join(f'"{column}"' for column in values)
    return f"({columns})", ", ".join(values.values())


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value)
    text = str(value).replace("'", "''").replace("%", "%%")
    return f"'{text}'"
