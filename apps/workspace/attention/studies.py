"""Images without an order, images and order of different people, one image in two versions."""

import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from apps.accounts.domain import Permission
from apps.core import clock
from apps.core.actors import Actor
from apps.core.chain import ChainLink
from apps.core.errors import InvalidInputError
from apps.core.words import date_words, person_name, when
from apps.orders.models import RequestedProcedure
from apps.orders.selectors import exams_visible_to
from apps.patients.models import Patient
from apps.patients.selectors import current, primary_identifier
from apps.patients.services import patient_merge, patient_unmerge
from apps.studies.candidates import Candidate
from apps.studies.judging import INCOMPLETE
from apps.studies.models import Instance, Study, StudyAttention
from apps.studies.selectors import studies_visible_to, study_damage
from apps.studies.services.matching import study_link, study_suggestions, study_unlink
from apps.studies.services.settling import study_accept, study_accept_undo
from apps.studies.steps import CONFLICT, DAMAGED, OTHER_VERSION, UNMATCHED
from apps.studies.versions import versions_of
from apps.workspace.attention.kinds import Case, Deed, Done, Kind, Line, Said


def _study(actor: Actor, row: StudyAttention) -> Study | None:
    return (
        studies_visible_to(actor, Permission.ATTENTION_READ)
        .select_related("patient__survivor", "site")
        .filter(pk=row.study_id or 0)
        .first()
    )


def _lines(actor: Actor, rows: list[StudyAttention]) -> dict[int, Line]:
    studies = studies_visible_to(actor, Permission.ATTENTION_READ).in_bulk(
        [row.study_id for row in rows if row.study_id]
    )
    found = {}
    for row in rows:
        study = studies.get(row.study_id or 0)
        if study is None:
            found[row.pk] = Line(row.summary)
            continue
        what = study.study_description or "/".join(study.modalities_in_study) or "Study"
        number = study.accession_number
        found[row.pk] = Line(
            f"{what}, {_images(study)}",
            f"“{study.received_patient_name}”, ID {study.received_patient_id or 'none'}",
            f"{study.source} · " + (f"accession {number}" if number else "no accession number"),
        )
    return found


def _images(study: Study) -> str:
    count = study.number_of_instances
    return f"{count} image{'' if count == 1 else 's'}"


def _unmatched(actor: Actor, row: StudyAttention) -> Case:
    study = _study(actor, row)
    if study is None:
        return _hidden(row)
    candidates = []
    if actor.may(Permission.STUDY_RECONCILE):
        found = study_suggestions(
            actor=actor, study=study, at=study.first_received_at or clock.now()
        )
        candidates = [_shown(study, candidate) for candidate in found[:4]]
    number = study.accession_number
    under = f"“{study.received_patient_name}”, ID {study.received_patient_id or 'none'}"
    without = [
        words
        for missing, words in (
            (not number, "without an accession number"),
            (not study.received_issuer_of_patient_id, "without an issuer of the ID"),
        )
        if missing
    ]
    belong = "belongs" if study.number_of_instances == 1 else "belong"
    known = f" under accession number {number}, which no order here has" if number else ""
    case = Case(
        title=f"{_images(study).capitalize()} arrived that {belong} to no order",
        why=(
            f"{study.source or 'A sender'} sent them {when(study.first_received_at)} under {under}"
            f"{', ' if without else ''}{' and '.join(without)}{known}. The images are safe and can "
            "be viewed; they are read under the name they came with until they have an order."
        ),
        template="workspace/attention/unmatched.html",
        chain=_broken_at_order(study),
        context={"study": study, "candidates": candidates, "patient": current(study.patient)},
        links=_links(study),
        patient_id=study.patient_id,
        study=study.study_instance_uid,
    )
    if candidates:
        case.deeds = [
            Deed("link", "Link to this exam", Permission.STUDY_RECONCILE, key="Enter", main=True)
        ]
    if actor.may(Permission.ORDER_WRITE):
        query = urlencode({"patient": current(study.patient).pk})
        case.links.append(("plus", "Make an order", f"{reverse('workspace:order-new')}?{query}"))
    return case


def _broken_at_order(study: Study) -> list[ChainLink]:
    return [
        ChainLink("Order", "broken", "no link"),
        ChainLink("Images", "done", f"{study.number_of_instances:,}"),
        ChainLink("Read", "todo", "waits"),
        ChainLink("Result"),
    ]


def _shown(study: Study, candidate: Candidate) -> dict[str, Any]:
    """A candidate with its reasons and what linking would change on the way out."""
    order = candidate.procedure.order
    number = order.accession_number
    changes = [
        ("Accession Number", "0008,0050", study.accession_number, number),
        (
            "Study Description",
            "0008,1030",
            study.study_description,
            candidate.procedure.description,
        ),
    ]
    return {
        "exam": candidate.procedure,
        "order": order,
        "patient": current(order.patient),
        "score": candidate.score,
        "reasons": candidate.evidence.split(", "),
        "changes": [change for change in changes if change[2] != change[3]],
    }


def _conflict(actor: Actor, row: StudyAttention) -> Case:
    study = _study(actor, row)
    if study is None:
        return _hidden(row)
    exam = (
        exams_visible_to(actor, Permission.ATTENTION_READ)
        .select_related("order__patient__survivor")
        .filter(pk=row.details.get("requested_procedure_id"))
        .first()
    )
    ours = current(exam.order.patient) if exam else None
    theirs = current(study.patient)
    case = Case(
        title="Images and order name different patients",
        why=(
            f"{study.source or 'A sender'} sent {_images(study)} {when(study.first_received_at)}. "
            f"Their number leads to an order ({row.details.get('evidence', '')}), but the person "
            "on the images is another one. They were not joined: either the wrong line of the "
            "worklist was chosen, or one person is here under two numbers."
        ),
        template="workspace/attention/conflict.html",
        chain=[
            ChainLink("Order", "done"),
            ChainLink("Images", "broken", "other patient"),
            ChainLink("Read", "todo", "waits"),
            ChainLink("Result"),
        ],
        context={"study": study, "exam": exam, "facts": _facts(study, ours) if ours else []},
        links=_links(study),
        patient_id=study.patient_id,
        study=study.study_instance_uid,
    )
    for words, person in (("Person on the images", theirs), ("Person of the order", ours)):
        if person is not None and actor.may(Permission.PATIENT_READ):
            address = reverse("workspace:patient", kwargs={"pk": person.pk})
            case.links.append(("person", words, address))
    if ours is not None and actor.may(Permission.STUDY_RECONCILE):
        case.deeds = [
            Deed(
                "merge", "They are one person: merge and link", Permission.PATIENT_WRITE, main=True
            )
        ]
    return case


def _facts(study: Study, ours: Patient) -> list[tuple[str, str, str]]:
    number = primary_identifier(ours)
    issuer = study.received_issuer_of_patient_id
    theirs = f"{issuer} {study.received_patient_id}".strip()
    return [
        ("Name", str(person_name(study.received_patient_name)), str(person_name(ours))),
        ("Number", theirs, f"{number.issuer} {number.value}" if number else ""),
        (
            "Born",
            date_words(study.received_patient_birth_date),
            date_words(ours.birth_date),
        ),
        ("Sex", study.received_patient_sex, ours.sex),
    ]


def _other_version(actor: Actor, row: StudyAttention) -> Case:
    study = _study(actor, row)
    if study is None:
        return _hidden(row)
    instance = Instance.objects.filter(sop_instance_uid=row.key).first()
    kept = list(versions_of(instance)) if instance else []
    case = Case(
        title="An image came again with another content",
        why=(
            f"{row.details.get('source') or 'A sender'} sent an image whose identifier is here "
            "already. The first one stays the one that is shown; what came later is kept beside "
            "it. Nothing is lost, and the sender was told."
        ),
        chain=[],
        context={
            "facts": [
                ("Image", row.key),
                *(
                    (
                        f"{when(version.received_at)}",
                        version.difference_words or "is being compared",
                    )
                    for version in kept
                ),
            ]
        },
        links=_links(study),
        patient_id=study.patient_id,
        study=study.study_instance_uid,
    )
    if kept and instance and actor.may(Permission.STUDY_RECONCILE):
        address = reverse("workspace:versions", kwargs={"pk": instance.pk})
        case.links.insert(0, ("layers", "Compare and choose", address))
    return case


def _incomplete(actor: Actor, row: StudyAttention) -> Case:
    study = _study(actor, row)
    if study is None:
        return _hidden(row)
    words = study.completeness_evidence or row.summary
    return Case(
        title="Images of this study are missing",
        why=(
            f"{_images(study).capitalize()} came from {study.source or 'a sender'}, and nothing "
            f"more comes. What tells that some are missing: {words}. Ask there for the rest, and "
            "this closes by itself when they come. If they were never made, say so: the study is "
            "complete as it is."
        ),
        chain=[
            ChainLink("Order", "done"),
            ChainLink("Images", "broken", "not all"),
            ChainLink("Read", "todo", "waits"),
            ChainLink("Result"),
        ],
        context={"facts": [("Known by", words), ("Last came", when(study.last_received_at))]},
        deeds=[Deed("accept", "Complete as it is", Permission.STUDY_RECONCILE, main=True)],
        links=_links(study),
        patient_id=study.patient_id,
        study=study.study_instance_uid,
    )


def _accept(actor: Actor, row: StudyAttention, said: Said, at: datetime.datetime) -> Done:
    assert row.study is not None
    study_accept(actor=actor, study_instance_uid=row.study.study_instance_uid, at=at)
    return Done("Complete as it is", "accept")


def _unaccept(actor: Actor, row: StudyAttention, said: Said, at: datetime.datetime) -> str:
    assert row.study is not None
    study_accept_undo(actor=actor, study_instance_uid=row.study.study_instance_uid, at=at)
    return "It waits for the missing images again"


def _damaged(actor: Actor, row: StudyAttention) -> Case:
    study = _study(actor, row)
    if study is None:
        return _hidden(row)
    lost = study_damage(study.pk).count()
    return Case(
        title="Images that the archive can no longer give out",
        why=(
            "When the stored images were read again, the bytes of these were gone or were not what "
            "was received, and no good copy is left anywhere. They are not shown, so that nobody "
            f"reads a damaged image. {study.source or 'The sender'} may still have them: ask for "
            "them to be sent again, and this closes by itself. It closes too when a storage that "
            "was away comes back."
        ),
        chain=[
            ChainLink("Order", "done"),
            ChainLink("Images", "broken", f"{lost:,} of {study.number_of_instances:,}"),
            ChainLink("Read", "todo", "waits"),
            ChainLink("Result"),
        ],
        context={"facts": [("Images without a good copy", f"{lost:,}")]},
        links=_links(study),
        patient_id=study.patient_id,
        study=study.study_instance_uid,
    )


def _links(study: Study) -> list[tuple[str, str, str]]:
    query = urlencode({"StudyInstanceUIDs": study.study_instance_uid})
    return [("images", "Open the images", f"/viewer/?{query}")]


def _hidden(row: StudyAttention) -> Case:
    return Case(title=row.summary, why="Whose images these are is not yours to see.")


def _link(actor: Actor, row: StudyAttention, said: Said, at: datetime.datetime) -> Done:
    exam_id = said.get("exam", "")
    if not exam_id.isdecimal() or row.study is None:
        message = "Choose the exam that the images belong to."
        raise InvalidInputError(message, field="exam")
    match = study_link(
        actor=actor,
        study_instance_uid=row.study.study_instance_uid,
        requested_procedure_id=int(exam_id),
        at=at,
    )
    exam = match.requested_procedure
    words = f"Linked to {exam.description} of {person_name(current(exam.order.patient))}"
    return Done(words, "link", {"exam": exam.pk})


def _unlink(actor: Actor, row: StudyAttention, said: Said, at: datetime.datetime) -> str:
    assert row.study is not None
    study_unlink(
        actor=actor,
        study_instance_uid=row.study.study_instance_uid,
        requested_procedure_id=int(said["exam"]),
        at=at,
    )
    return "The images belong to no order again"


def _merge(actor: Actor, row: StudyAttention, said: Said, at: datetime.datetime) -> Done:
    """Two commands: the merge stands by itself, should the link be refused after it."""
    exam = RequestedProcedure.objects.select_related("order__patient").get(
        pk=row.details["requested_procedure_id"]
    )
    assert row.study is not None
    patient = current(row.study.patient)
    survivor = current(exam.order.patient)
    patient_merge(
        actor=actor,
        patient_id=patient.pk,
        into_id=survivor.pk,
        reason=f"images and order {exam.order.accession_number} name one person",
        at=at,
    )
    study_link(
        actor=actor,
        study_instance_uid=row.study.study_instance_uid,
        requested_procedure_id=exam.pk,
        at=at,
    )
    words = f"{person_name(patient)} is {person_name(survivor)}; the images are linked"
    return Done(words, "merge", {"exam": exam.pk, "patient": patient.pk})


def _unmerge(actor: Actor, row: StudyAttention, said: Said, at: datetime.datetime) -> str:
    _unlink(actor, row, said, at)
    patient_unmerge(actor=actor, patient_id=int(said["patient"]), at=at)
    return "They are two people again, and the images are not linked"


KINDS = (
    Kind(
        UNMATCHED,
        StudyAttention,
        "Images, no order",
        "images",
        _lines,
        _unmatched,
        acts={"link": _link},
        undos={"link": _unlink},
    ),
    Kind(
        CONFLICT,
        StudyAttention,
        "Wrong patient?",
        "person",
        _lines,
        _conflict,
        tone="crit",
        acts={"merge": _merge},
        undos={"merge": _unmerge},
    ),
    Kind(
        INCOMPLETE,
        StudyAttention,
        "Images missing",
        "images",
        _lines,
        _incomplete,
        tone="attn",
        acts={"accept": _accept},
        undos={"accept": _unaccept},
    ),
    Kind(DAMAGED, StudyAttention, "Images damaged", "database", _lines, _damaged, tone="crit"),
    Kind(
        OTHER_VERSION, StudyAttention, "Same image, new content", "layers", _lines, _other_version
    ),
)
