"""Choosing what to give: the one door to stored instances for every protocol."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from apps.archive.models import Location
from apps.archive.reading import Copy
from apps.audit.models import Outcome
from apps.audit.steps import record_read
from apps.core import sql
from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.studies import audit_events, statements
from apps.studies.identity import Identity, identities_of
from apps.studies.models import Instance

_STUDY_COLUMNS = (
    "st.id, st.study_instance_uid, st.patient_id,"
    " p.survivor_id IS NOT NULL OR st.patient_version <> p.version"
)
_COLUMNS = (
    "i.sop_instance_uid, i.sop_class_uid, se.series_instance_uid, se.modality,"
    " o.transfer_syntax_uid, o.dataset_offset, o.size_bytes, o.digest,"
    " i.pixel_offset, i.pixel_length, i.number_of_frames, i.rows, i.columns, i.bits_allocated,"
    " l.storage, l.key"
)
_FROM = (
    f"{statements.FROM[Instance]} {statements.PATIENT_OF_STUDY}"
    " JOIN archive_storedobject o ON o.id = i.stored_object_id"
    " LEFT JOIN archive_location l ON l.stored_object_id = o.id AND l.status = %s"
)
_KEYS = ("i.sop_instance_uid", "se.series_instance_uid", "st.study_instance_uid", "st.patient_id")


@dataclass(frozen=True, slots=True)
class Item:
    """One stored instance: what it is and where its bytes lie.

    Attributes:
        copies: where good copies of it lie, the oldest first; none where it is lost.
    """

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    modality: str
    transfer_syntax_uid: str
    dataset_offset: int
    size_bytes: int
    digest: str
    pixel_offset: int | None
    pixel_length: int | None
    number_of_frames: int | None
    rows: int | None
    columns: int | None
    bits_allocated: int | None
    copies: tuple[Copy, ...]

    @property
    def frames(self) -> int:
        """Number of frames; an instance with pixels has at least one."""
        return max(self.number_of_frames or 1, 1)


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen instances of one study.

    Attributes:
        identity: what goes out in place of the received identity; None where that stands.
    """

    study_id: int
    study_instance_uid: str
    patient_id: int
    items: Sequence[Item] = field(default_factory=list)
    identity: Identity | None = None


def select(
    *,
    actor: Actor,
    door: str,
    study_instance_uids: Sequence[str] = (),
    series_instance_uids: Sequence[str] = (),
    sop_instance_uids: Sequence[str] = (),
    patient_ids: Sequence[int] = (),
    event: str = audit_events.RETRIEVED,
) -> list[Selection]:
    """Return the instances that the actor may have, by study, in the order of receipt.

    Every list that is given narrows the choice. One query; audited, a study at a time, before it
    returns. A study that exists and is refused is audited as that, and looks absent.

    Args:
        actor: who asks.
        door: `dimse`, `dicomweb` or `page`.
        study_instance_uids: of these studies.
        series_instance_uids: of these series.
        sop_instance_uids: these instances.
        patient_ids: primary keys of patients, aliases included.
        event: what the audit trail says, `RETRIEVED` or `VIEWED`.

    Raises:
        NotFoundError: nothing is there, or nothing that the actor may have.
    """
    wanted, values = _wanted(
        (sop_instance_uids, series_instance_uids, study_instance_uids, patient_ids)
    )
    allowed, more = statements.visible(actor)
    rows = sql.fetch(
        f"SELECT {_STUDY_COLUMNS}, {_COLUMNS} FROM {_FROM}"  # noqa: S608 - values are bound
        f" WHERE {wanted} AND {allowed} ORDER BY i.series_id, i.id, l.id",
        [Location.Status.AVAILABLE.value, *values, *more],
        prepare=True,
    )
    found: dict[int, list[Item]] = {}
    about: dict[int, tuple] = {}
    for row in rows:
        items = found.get(row[0])
        if items is None:
            items = found[row[0]] = []
            about[row[0]] = row[:4]
        copies = (Copy(row[-2], row[-1]),) if row[-1] else ()
        if items and items[-1].sop_instance_uid == row[4]:
            items[-1] = replace(items[-1], copies=items[-1].copies + copies)
        else:
            items.append(Item(*(*row[4:-2], copies)))
    if not found:
        _refuse(actor, door, wanted, values)
    changed = {patient for _, _, patient, differs in about.values() if differs}
    identities = identities_of(changed) if changed else {}
    result = []
    for study_id, items in found.items():
        _, uid, patient, *_ = about[study_id]
        record_read(actor=actor, event=event, door=door, patient=patient, study=uid)
        result.append(Selection(study_id, uid, patient, items, identities.get(patient)))
    return result


def _wanted(lists: Iterable[Sequence[str] | Sequence[int]]) -> sql.Sql:
    """Return the condition that every list that is given makes, `_KEYS` beside the lists."""
    parts: list[str] = []
    values: list[Any] = []
    for column, wanted in zip(_KEYS, lists, strict=True):
        if len(wanted) == 1:
            parts.append(f"{column} = %s")
            values.append(wanted[0])
        elif wanted:
            parts.append(f"{column} = ANY(%s)")
            values.append(list(wanted))
    if not parts:
        message = "say what is wanted"
        raise ValueError(message)
    return " AND ".join(parts), values


def _refuse(actor: Actor, door: str, wanted: str, values: Sequence[Any]) -> None:
    hidden = sql.fetch(
        "SELECT DISTINCT st.study_instance_uid, st.patient_id"  # noqa: S608 - values are bound
        f" FROM {statements.FROM[Instance]} WHERE {wanted} LIMIT 10",
        values,
    )
    for uid, patient in hidden:
        record_read(
            actor=actor,
            event=audit_events.ACCESS_REFUSED,
            door=door,
            outcome=Outcome.MINOR_FAILURE,
            patient=patient,
            study=uid,
        )
    raise NotFoundError
