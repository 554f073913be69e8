"""Steps on studies for commands of this and higher apps."""

import datetime
from collections.abc import Sequence

from django.db.models import Q

from apps.accounts.domain import Confidentiality
from apps.audit.steps import record
from apps.core import live
from apps.core.actors import Actor
from apps.core.steps import publish, require_transaction
from apps.orders.models import RequestedProcedure
from apps.studies import audit_events
from apps.studies.candidates import (
    WEAK_ENOUGH,
    Candidate,
    narrowed,
    strong_candidates,
    weak_candidates,
)
from apps.studies.domain import Completeness, MatchReason
from apps.studies.models import (
    Instance,
    InstanceVersion,
    Series,
    Study,
    StudyAttention,
    StudyMatch,
)
from apps.studies.selectors import study_damage

UNMATCHED = "unmatched"
CONFLICT = "conflict"
OTHER_VERSION = "other-version"
FLAGGED = "flagged"
DAMAGED = "damaged"
STRICTNESS = [c.value for c in Confidentiality]


def attention_open(
    *, study: Study, kind: str, key: str, summary: str, at: datetime.datetime, **details: object
) -> None:
    """Open an item for a person, unless one of this kind is open for the key."""
    require_transaction()
    StudyAttention.objects.bulk_create(
        [
            StudyAttention(
                kind=kind,
                site_id=study.site_id,
                key=key,
                summary=summary[:300],
                details=details,
                opened_at=at,
                study=study,
            )
        ],
        ignore_conflicts=True,
    )
    live.notify(live.ATTENTION)


def attention_close(
    *, study: Study, kinds: Sequence[str], actor: Actor, at: datetime.datetime, resolution: str
) -> None:
    """Close the study's open items of these kinds."""
    require_transaction()
    StudyAttention.objects.filter(study=study, kind__in=kinds, resolved_at=None).update(
        resolved_at=at, resolved_by=actor.display, resolution=resolution
    )
    live.notify(live.ATTENTION)


def damage_open(*, stored_object_id: int, at: datetime.datetime) -> None:
    """Open one item for the study that the object is an image of, unless one is open."""
    require_transaction()
    study = Study.objects.filter(_holds(stored_object_id)).first()
    if study is not None and stored_object_id in _damaged_objects(study):
        attention_open(
            study=study,
            kind=DAMAGED,
            key=study.study_instance_uid,
            summary="Images of which no good copy is left",
            at=at,
        )


def damage_close(*, stored_object_id: int, actor: Actor, at: datetime.datetime) -> None:
    """Close the study's item once none of its images is without a good copy."""
    require_transaction()
    study = Study.objects.filter(_holds(stored_object_id)).first()
    if study is not None and not _damaged_objects(study):
        attention_close(
            study=study,
            kinds=[DAMAGED],
            actor=actor,
            at=at,
            resolution="every image has a good copy again",
        )


def _holds(stored_object_id: int) -> Q:
    current = Instance.objects.filter(stored_object=stored_object_id)
    later = InstanceVersion.objects.filter(stored_object=stored_object_id)
    return Q(pk__in=current.values("series__study")) | Q(
        pk__in=later.values("instance__series__study")
    )


def _damaged_objects(study: Study) -> set[int]:
    """Return the study's stored objects, versions included, that have no good copy."""
    return set(study_damage(study.pk).values_list("pk", flat=True))


def study_match(
    *, study: Study, actor: Actor, at: datetime.datetime, procedure_ids: Sequence[str] = ()
) -> list[StudyMatch]:
    """Join a locked study to its exams, or open an item that says why not.

    A hit whose patient differs is a conflict for a person, never a match. Returns what was joined.
    """
    require_transaction()
    modality = study.modalities_in_study[0] if study.modalities_in_study else ""
    candidates = narrowed(
        strong_candidates(
            study_instance_uid=study.study_instance_uid,
            accession_number=study.accession_number,
            issuer=study.issuer_of_accession_number or study.site.issuer_of_accession_number,
        ),
        procedure_ids=procedure_ids,
        modality=modality,
    )
    patient = study.patient.survivor_id or study.patient_id
    wrong = [c for c in candidates if _owner(c.procedure) != patient]
    right = [c for c in candidates if _owner(c.procedure) == patient]
    if wrong and not right:
        _open_conflict(study, wrong[0], at)
        return []
    if not right:
        weak = weak_candidates(
            patient=study.patient, modality=modality, body_part=study.body_part, at=at
        )
        good = [c for c in weak if c.score >= WEAK_ENOUGH]
        right = good if len(good) == 1 else []
    if not right:
        attention_open(
            study=study,
            kind=UNMATCHED,
            key=study.study_instance_uid,
            summary="Images without an order",
            at=at,
        )
        publish(
            name="studies.study.unmatched", aggregate=f"study:{study.pk}", payload=_payload(study)
        )
        return []
    return [study_join(study=study, candidate=c, actor=actor, at=at) for c in right]


def study_join(
    *, study: Study, candidate: Candidate, actor: Actor, at: datetime.datetime
) -> StudyMatch:
    """Join a locked study to one exam, for a rule's reason or a person's."""
    require_transaction()
    procedure = candidate.procedure
    match, _ = StudyMatch.objects.update_or_create(
        study=study,
        requested_procedure=procedure,
        defaults={
            "score": candidate.score,
            "reason": candidate.reason.value,
            "evidence": candidate.evidence,
            "matched_by": actor.key,
            "matched_at": at,
        },
    )
    stricter = max(study.confidentiality, procedure.order.confidentiality, key=STRICTNESS.index)
    if stricter != study.confidentiality:
        study.confidentiality = stricter
        study.save(update_fields=["confidentiality"])
    attention_close(
        study=study, kinds=[UNMATCHED, CONFLICT], actor=actor, at=at, resolution=candidate.evidence
    )
    record(
        actor=actor,
        event=audit_events.MATCHED,
        door="task" if candidate.reason is not MatchReason.PERSON else "page",
        patient=study.patient_id,
        study=study.study_instance_uid,
        key=f"requested-procedure:{procedure.pk}",
        reason=candidate.reason.value,
        score=candidate.score,
    )
    publish(
        name="studies.study.matched",
        aggregate=f"study:{study.pk}",
        payload=_payload(study) | {"requested_procedure_id": procedure.pk},
    )
    return match


def study_settle(*, study: Study, to: Completeness, evidence: str) -> None:
    """Write how much of a locked study has come, and by what evidence; tell who waits for it."""
    require_transaction()
    changed = study.completeness != to.value
    if not changed and study.completeness_evidence == evidence[:200]:
        return
    study.completeness, study.completeness_evidence = to.value, evidence[:200]
    study.save(update_fields=["completeness", "completeness_evidence"])
    if changed and to is Completeness.COMPLETE:
        publish(
            name="studies.study.completed", aggregate=f"study:{study.pk}", payload=_payload(study)
        )
    live.notify(live.READING_LIST, str(study.pk))


def performed_step_uids(study: Study) -> list[str]:
    """Return the UIDs of the performed steps that the study's images name."""
    rows = Series.objects.filter(study=study).exclude(performed_step_uid="")
    return sorted(set(rows.values_list("performed_step_uid", flat=True)))


def _owner(procedure: RequestedProcedure) -> int:
    patient = procedure.order.patient
    return patient.survivor_id or patient.pk


def _open_conflict(study: Study, candidate: Candidate, at: datetime.datetime) -> None:
    attention_open(
        study=study,
        kind=CONFLICT,
        key=study.study_instance_uid,
        summary="Images and order name different patients",
        at=at,
        requested_procedure_id=candidate.procedure.pk,
        evidence=candidate.evidence,
        image_patient=study.received_patient_name,
        image_patient_id=study.received_patient_id,
    )
    publish(name="studies.study.unmatched", aggregate=f"study:{study.pk}", payload=_payload(study))


def _payload(study: Study) -> dict[str, object]:
    return {"study_id": study.pk, "study_instance_uid": study.study_instance_uid}
