"""Objects that came with defects: taken all the same, or waiting in quarantine."""

from urllib.parse import urlencode

from django.urls import reverse

from apps.accounts.domain import Permission
from apps.core.actors import Actor
from apps.core.words import person_name, when
from apps.studies.ingest.flagging import STUDIES_KEPT
from apps.studies.ingest.quarantine import QUARANTINED
from apps.studies.models import StudyAttention
from apps.studies.selectors import studies_visible_to
from apps.studies.steps import FLAGGED
from apps.studies.validation import WORDS
from apps.workspace.attention.kinds import Case, Kind, Line

LINKED = 6


def _flagged_lines(actor: Actor, rows: list[StudyAttention]) -> dict[int, Line]:
    return {
        row.pk: Line(WORDS.get(row.details["code"], row.summary), _how_many(row), row.site.name)
        for row in rows
    }


def _how_many(row: StudyAttention) -> str:
    images = row.details.get("images", 1)
    studies = len(row.details.get("studies", [])) or 1
    more = " or more" if studies == STUDIES_KEPT else ""
    return (
        f"{images:,} image{'' if images == 1 else 's'} in {studies}{more} "
        f"{'study' if studies == 1 else 'studies'} from {row.details['source']}"
    )


def _flagged(actor: Actor, row: StudyAttention) -> Case:
    uids = row.details.get("studies") or ([row.study.study_instance_uid] if row.study else [])
    visible = studies_visible_to(actor, Permission.ATTENTION_READ)
    studies = visible.filter(study_instance_uid__in=uids).order_by("-last_received_at", "-pk")
    case = Case(
        title=row.summary,
        why=(
            f"{_how_many(row)}, the first {when(row.opened_at)}. They were taken as they came and "
            "are in the archive; nothing was changed in them. Look whether they can be read, and "
            "have the machine mended or its rule changed. More of the same kind are counted here."
        ),
    )
    first = studies.first()
    if first is None:
        case.why = f"{_how_many(row)}. Whose images these are is not yours to see."
        return case
    case.context = {
        "facts": [
            ("What exactly", row.details["detail"]),
            ("First image", row.details["sop_instance_uid"]),
        ]
    }
    for study in studies[:LINKED]:
        query = urlencode({"StudyInstanceUIDs": study.study_instance_uid})
        what = study.study_description or "/".join(study.modalities_in_study) or "the images"
        who = person_name(study.received_patient_name)
        case.links.append(("images", f"{what}, {who}", f"/viewer/?{query}"))
    case.patient_id, case.study = first.patient_id, first.study_instance_uid
    return case


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
