"""Reading the study index. What the actor may not see does not exist."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.accounts.domain import Permission
from apps.archive.models import Location, StoredObject
from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.studies import policies
from apps.studies.models import Instance, InstanceVersion, Study


def studies_visible_to(
    actor: Actor, permission: Permission = Permission.STUDY_READ
) -> QuerySet[Study]:
    """Return the studies on which the actor holds the permission."""
    return Study.objects.filter(policies.visible(actor, permission))


def study_access(
    actor: Actor, study_instance_uid: str, permission: Permission = Permission.STUDY_READ
) -> Study:
    """Return a study by its UID.

    Raises:
        NotFoundError: absent, or hidden from the actor.
    """
    study = (
        studies_visible_to(actor, permission)
        .select_related("patient__survivor", "site")
        .filter(study_instance_uid=study_instance_uid)
        .first()
    )
    if study is None:
        raise NotFoundError(study_instance_uid=study_instance_uid)
    return study


def studies_of_patient(actor: Actor, patient_id: int) -> QuerySet[Study]:
    """Return a patient's studies, newest first; `patient_id` is the survivor of a merge."""
    return (
        studies_visible_to(actor)
        .filter(patient__in=_aliases(patient_id))
        .order_by("-study_date", "-study_time", "-pk")
    )


def study_damage(study_id: int) -> QuerySet[StoredObject]:
    """Return the stored objects of a study, later versions included, without a good copy."""
    current = Instance.objects.filter(series__study=study_id)
    later = InstanceVersion.objects.filter(instance__series__study=study_id)
    good = Location.objects.filter(stored_object=OuterRef("pk"), status=Location.Status.AVAILABLE)
    return StoredObject.objects.filter(
        Q(pk__in=current.values("stored_object")) | Q(pk__in=later.values("stored_object")),
        ~Exists(good),
    )


def _aliases(patient_id: int) -> list[int]:
    from apps.patients.models import Patient

    merged = Patient.objects.filter(survivor=patient_id).values_list("pk", flat=True)
    return [patient_id, *merged]
