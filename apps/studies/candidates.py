"""Which ordered exams a study may belong to, strongest evidence first. See DESIGN, Matching."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient
from apps.studies.domain import MatchReason

BY_UID = 100
BY_ACCESSION = 95
WEAK_ENOUGH = 70
NEAR = datetime.timedelta(days=1)
LIVE_ORDERS = ("RE", "VT", "HD", "SC", "IP", "CM")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A requested procedure that a study may belong to."""

    procedure: RequestedProcedure
    score: int
    reason: MatchReason
    evidence: str


def strong_candidates(
    *, study_instance_uid: str, accession_number: str, issuer: str
) -> list[Candidate]:
    """Return the exams that issued the study's UID, else those of its accession number.

    `issuer` is the accession number's; where the image names none, that of the sender's site.
    """
    issued = _with_orders(RequestedProcedure.objects.filter(study_instance_uid=study_instance_uid))
    if issued:
        evidence = "the Study Instance UID is the one we issued"
        return [Candidate(issued[0], BY_UID, MatchReason.STUDY_INSTANCE_UID, evidence)]
    if not accession_number:
        return []
    evidence = f"accession number {accession_number} of {issuer}"
    of_accession = RequestedProcedure.objects.filter(
        order__accession_number=accession_number, order__issuer_of_accession_number=issuer
    )
    return [
        Candidate(procedure, BY_ACCESSION, MatchReason.ACCESSION_NUMBER, evidence)
        for procedure in _with_orders(of_accession)
    ]


def narrowed(
    candidates: Sequence[Candidate], *, procedure_ids: Sequence[str], modality: str
) -> list[Candidate]:
    """Choose among the exams of one accession by Requested Procedure ID, then by modality.

    Where neither tells them apart, all stay: one acquisition may answer several exams.
    """
    if len(candidates) < 2:
        return list(candidates)
    named = [c for c in candidates if c.procedure.requested_procedure_id in procedure_ids]
    if named:
        return named
    alike = [c for c in candidates if modality and c.procedure.modality == modality]
    return alike or list(candidates)


def weak_candidates(
    *, patient: Patient, modality: str, body_part: str, at: datetime.datetime
) -> list[Candidate]:
    """Return the patient's open exams that resemble the study, best first, with their scores.

    Score: 40 for the patient, 30 for the modality, 15 for a step planned within a day, 15 for the
    body part.
    """
    kept = patient.survivor_id or patient.pk
    procedures = RequestedProcedure.objects.filter(
        order__patient__in=[kept, patient.pk], order__status__in=LIVE_ORDERS, matches=None
    ).exclude(order__status="CM")
    found = []
    for procedure in _with_orders(procedures):
        score, evidence = 40, ["same patient"]
        if modality and procedure.modality == modality:
            score += 30
            evidence.append(f"modality {modality}")
        if any(abs(step.start_at - at) <= NEAR for step in procedure.scheduled_steps.all()):
            score += 15
            evidence.append("planned within a day")
        if body_part and procedure.body_part.upper() == body_part.upper():
            score += 15
            evidence.append(f"body part {body_part}")
        found.append(Candidate(procedure, score, MatchReason.WEAK_KEYS, ", ".join(evidence)))
    return sorted(found, key=lambda c: (-c.score, c.procedure.pk))


def _with_orders(procedures: QuerySet[RequestedProcedure]) -> list[RequestedProcedure]:
    """Load exams with all that matching looks at, if there are any: mostly there are none."""
    keys = list(procedures.values_list("pk", flat=True))
    if not keys:
        return []
    return list(
        RequestedProcedure.objects.filter(pk__in=keys)
        .select_related("order__patient__survivor")
        .prefetch_related("scheduled_steps")
        .order_by("number")
    )
