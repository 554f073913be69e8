"""Choosing what to give: the one door to stored instances for every protocol."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Q

from apps.archive.models import Location
from apps.audit.models import Outcome
from apps.audit.steps import record_read
from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.studies import audit_events, policies
from apps.studies.identity import Identity, identities_of
from apps.studies.models import Instance, Study

_COLUMNS = (
    "sop_instance_uid", "sop_class_uid", "series__series_instance_uid", "series__modality",
    "stored_object__transfer_syntax_uid", "stored_object__locations__storage",
    "stored_object__locations__key", "stored_object__dataset_offset", "stored_object__size_bytes",
    "stored_object__digest", "pixel_offset", "pixel_length", "number_of_frames", "rows", "columns",
    "bits_allocated",
)  # fmt: skip
_STUDY_COLUMNS = (
    "series__study_id", "series__study__study_instance_uid", "series__study__patient_id",
    "series__study__patient_version", "series__study__patient__version",
    "series__study__patient__survivor",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """One stored instance: what it is and where its bytes lie."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    modality: str
    transfer_syntax_uid: str
    storage: str
    key: str
    dataset_offset: int
    size_bytes: int
    digest: str
    pixel_offset: int | None
    pixel_length: int | None
    number_of_frames: int | None
    rows: int | None
    columns: int | None
    bits_allocated: int | None

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
    wanted = _wanted(study_instance_uids, series_instance_uids, sop_instance_uids, patient_ids)
    rows = Instance.objects.filter(wanted).filter(
        Q(stored_object__locations__status=Location.Status.AVAILABLE)
    )
    visible = policies.visible(actor)
    if visible:
        rows = rows.filter(series__study__in=Study.objects.filter(visible))
    found: dict[int, list[Item]] = defaultdict(list)
    about: dict[int, tuple] = {}
    for row in rows.order_by("series_id", "pk").values_list(*_COLUMNS, *_STUDY_COLUMNS):
        study = row[len(_COLUMNS) :]
        items = found[study[0]]
        item = Item(*row[: len(_COLUMNS)])
        if not (items and items[-1].sop_instance_uid == item.sop_instance_uid):  # a second copy
            items.append(item)
        about[study[0]] = study
    if not found:
        _refuse(actor, door, wanted)
    identities = _identities(about.values())
    result = []
    for study_id, items in found.items():
        _, uid, patient, *_ = about[study_id]
        record_read(actor=actor, event=event, door=door, patient=patient, study=uid)
        result.append(Selection(study_id, uid, patient, items, identities.get(patient)))
    return result


def _wanted(
    studies: Sequence[str], series: Sequence[str], instances: Sequence[str], patients: Sequence[int]
) -> Q:
    wanted = Q()
    for column, values in (
        ("sop_instance_uid", instances),
        ("series__series_instance_uid", series),
        ("series__study__study_instance_uid", studies),
        ("series__study__patient", patients),
    ):
        if values:
            wanted &= (
                Q(**{column: values[0]}) if len(values) == 1 else Q(**{f"{column}__in": values})
            )
    if not wanted:
        message = "say what is wanted"
        raise ValueError(message)
    return wanted


def _identities(about: Iterable[tuple]) -> dict[int, Identity]:
    changed = {
        patient
        for _, _, patient, filed_version, version, survivor in about
        if survivor is not None or filed_version != version
    }
    return identities_of(changed) if changed else {}


def _refuse(actor: Actor, door: str, wanted: Q) -> None:
    hidden = (
        Instance.objects.filter(wanted)
        .values_list("series__study__study_instance_uid", "series__study__patient")
        .distinct()[:10]
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
