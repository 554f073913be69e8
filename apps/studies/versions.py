"""The data sets that came under one SOP Instance UID: the current one, and those kept beside it."""

import datetime
from dataclasses import dataclass, replace

from django.db.models import QuerySet

from apps.accounts.domain import Permission
from apps.archive.incoming import HEAD_BYTES, META_BYTES, TAIL_BYTES, Staged
from apps.archive.models import Location, StoredObject
from apps.archive.part10 import read_file_meta
from apps.archive.reading import Copy, read
from apps.core.actors import Actor
from apps.core.errors import ConflictError, NotFoundError
from apps.patients.selectors import patient_by_identifier
from apps.studies.imaging.probe import item_of
from apps.studies.ingest.received import Received, read_received
from apps.studies.models import Instance, InstanceVersion
from apps.studies.retrieve.select import Item
from apps.studies.selectors import studies_visible_to


@dataclass(frozen=True, slots=True)
class Kept:
    """One data set of an instance, as its file says it.

    Attributes:
        version: its row; None for the one that is current.
        source: who sent it, as far as is known.
    """

    stored: StoredObject
    received: Received
    source: str
    received_at: datetime.datetime
    version: InstanceVersion | None = None

    @property
    def item(self) -> Item:
        """What retrieval and drawing need of it."""
        return replace(item_of(self.received), copies=_copies(self.stored))


def instances_visible_to(
    actor: Actor, permission: Permission = Permission.STUDY_RECONCILE
) -> QuerySet[Instance]:
    """Return the instances of the studies on which the actor holds the permission."""
    studies = studies_visible_to(actor, permission)
    return Instance.objects.filter(series__study__in=studies).select_related(
        "series__study__patient__survivor", "series__study__site", "stored_object"
    )


def instance_access(
    actor: Actor, key: int, permission: Permission = Permission.STUDY_RECONCILE
) -> Instance:
    """Return an instance by its primary key.

    Raises:
        NotFoundError: absent, or hidden from the actor.
    """
    instance = instances_visible_to(actor, permission).filter(pk=key).first()
    if instance is None:
        raise NotFoundError(instance=key)
    return instance


def versions_of(instance: Instance) -> QuerySet[InstanceVersion]:
    """Return what is kept beside the current data set, oldest first."""
    rows = InstanceVersion.objects.filter(instance=instance).select_related("stored_object")
    return rows.order_by("received_at", "pk")


def version_access(instance: Instance, stored_object_id: int) -> InstanceVersion:
    """Return the version with this stored object.

    Raises:
        NotFoundError: it is none of this instance's.
    """
    version = versions_of(instance).filter(stored_object=stored_object_id).first()
    if version is None:
        raise NotFoundError(version=stored_object_id)
    return version


def current_source(instance: Instance) -> str:
    """Return who sent the current data set: whoever sent the study, unless another was chosen."""
    chosen = versions_of(instance).exclude(current_source="").first()
    return chosen.current_source if chosen else instance.series.study.source


def current_kept(instance: Instance) -> Kept:
    """Return the data set that is served; see `_kept`."""
    source = current_source(instance)
    return _kept(instance, instance.stored_object, source, instance.received_at)


def version_kept(instance: Instance, version: InstanceVersion) -> Kept:
    """Return a data set that is kept beside it; see `_kept`."""
    return _kept(instance, version.stored_object, version.source, version.received_at, version)


def _copies(stored: StoredObject) -> tuple[Copy, ...]:
    rows = Location.objects.filter(stored_object=stored, status=Location.Status.AVAILABLE)
    return tuple(
        Copy(storage, key) for storage, key in rows.order_by("pk").values_list("storage", "key")
    )


def _kept(
    instance: Instance,
    stored: StoredObject,
    source: str,
    at: datetime.datetime,
    version: InstanceVersion | None = None,
) -> Kept:
    """Read a data set's header from the archive.

    Raises:
        ConflictError: no good copy of it is left.
    """
    copies = _copies(stored)
    if not copies:
        message = "The archive has no good copy of this version any more."
        raise ConflictError(message, stored_object=stored.pk)
    size = stored.size_bytes
    meta = read_file_meta(read(copies, 0, min(META_BYTES, size)))
    body = size - stored.dataset_offset
    staged = Staged(
        storage=copies[0].storage,
        key=copies[0].key,
        sop_class_uid=meta.sop_class_uid if meta else instance.sop_class_uid,
        sop_instance_uid=instance.sop_instance_uid,
        transfer_syntax_uid=stored.transfer_syntax_uid,
        digest=stored.digest,
        dataset_offset=stored.dataset_offset,
        dataset_bytes=body,
        head=read(copies, stored.dataset_offset, min(HEAD_BYTES, body)),
        tail=read(copies, size - min(TAIL_BYTES, body), min(TAIL_BYTES, body)),
    )
    return Kept(stored, read_received(staged), source, at, version)


def why_not_current(instance: Instance, kept: Kept) -> str:
    """Return why a version cannot be the current one of its instance; empty where it can.

    What names another study, series or person would be found under names that it does not bear.
    """
    uids, study = kept.received.uids, instance.series.study
    if uids["sop_class_uid"] != instance.sop_class_uid:
        return "It is another kind of object than the current one, so it cannot take its place."
    if uids["study_instance_uid"] != study.study_instance_uid:
        return "It says that it belongs to another study, so it cannot be shown in this one."
    if uids["series_instance_uid"] != instance.series.series_instance_uid:
        return "It says that it belongs to another series, so it cannot be shown in this one."
    if not _same_person(instance, kept):
        return (
            "It names another patient. Shown in this study, it would be taken for this patient's. "
            "Say first who the images are of, in the patient's record."
        )
    return ""


def _same_person(instance: Instance, kept: Kept) -> bool:
    study, texts = instance.series.study, kept.received.texts
    value, issuer = texts["patient_id"], texts["issuer_of_patient_id"]
    if (value, issuer) == (study.received_patient_id, study.received_issuer_of_patient_id):
        return True
    if not value:
        return False
    known = patient_by_identifier(value=value, issuer=issuer or study.site.issuer_of_patient_id)
    owner = study.patient.survivor_id or study.patient_id
    return known is not None and known.pk == owner
