"""Objects that came with defects: taken all the same, or waiting in quarantine."""

from urllib.parse import urlencode

from django.urls import reverse

from apps.accounts.domain import Permission
from apps.core.actors import Actor
from apps.core.words import when
from apps.studies.ingest.quarantine import QUARANTINED
from apps.studies.models import StudyAttention
from apps.studies.selectors import studies_visible_to
from apps.studies.steps import FLAGGED
from apps.studies.validation import WORDS
from apps.workspace.attention.kinds import Case, Kind, Line


def _flagged_lines(actor: Actor, rows: list[StudyAttention]) -> dict[int, Line]:
    visible = studies_visible_to(actor, Permission.ATTENTION_READ)
    studies = visible.in_bulk([row.study_id for row in rows if row.study_id])
    found = {}
    for row in rows:
        study = studies.get(row.study_id or 0)
        if study is None:
            found[row.pk] = Line(row.summary)
            continue
        who = f"“{study.received_patient_name}”, ID {study.received_patient_id or 'none'}"
        found[row.pk] = Line(WORDS.get(row.details["code"], row.summary), who, study.source)
    return found


def _flagged(actor: Actor, row: StudyAttention) -> Case:
    visible = studies_visible_to(actor, Permission.ATTENTION_READ)
    study = visible.filter(pk=row.study_id or 0).first()
    if study is None:
        return Case(title=row.summary, why="Whose images these are is not yours to see.")
    query = urlencode({"StudyInstanceUIDs": study.study_instance_uid})
    return Case(
        title=row.summary,
        why=(
            f"{row.details['source']} sent it {when(row.opened_at)}. The images were taken as they "
            "came and are in the archive; nothing was changed in them. Look whether they can be "
            "read, and have the machine mended or its rule changed."
        ),
        context={
            "facts": [
                ("What exactly", row.details["detail"]),
                ("First image", row.details["sop_instance_uid"]),
            ]
        },
        links=[("images", "Open the images", f"/viewer/?{query}")],
        patient_id=study.patient_id,
        study=study.study_instance_uid,
    )


def _quarantined_lines(actor: Actor, rows: list[StudyAttention]) -> dict[int, Line]:
    return {row.pk: Line(row.summary, "held back with defects", row.site.name) for row in rows}


def _quarantined(actor: Actor, row: StudyAttention) -> Case:
    case = Case(
        title=row.summary,
        why=(
            "They came with defects, and the rule for this sender holds such objects back. Their "
            "bytes are safe, but nothing of them can be searched or viewed until somebody decides."
        ),
    )
    if actor.may(Permission.STUDY_RECONCILE):
        query = urlencode({"source": row.details["source_key"]})
        address = f"{reverse('workspace:quarantine')}?{query}"
        case.links = [("inbox", "Decide in the quarantine", address)]
    return case


KINDS = (
    Kind(
        QUARANTINED,
        StudyAttention,
        "In quarantine",
        "inbox",
        _quarantined_lines,
        _quarantined,
        tone="attn",
    ),
    Kind(FLAGGED, StudyAttention, "Taken with defects", "bookmark", _flagged_lines, _flagged),
)
