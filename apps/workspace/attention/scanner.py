"""What scanners reported that does not fit: steps nobody booked, late, or without images."""

from typing import Any
from urllib.parse import urlencode

from apps.core.actors import Actor
from apps.core.chain import ChainLink, LinkState
from apps.core.words import when
from apps.worklists.models import PerformedStep, WorklistAttention
from apps.worklists.performing.steps import LATE, NO_IMAGES, PATIENT_DIFFERS, STEP_OVER, UNSCHEDULED
from apps.workspace.attention.kinds import Case, Kind, Line

WHY = {
    UNSCHEDULED: (
        "Nothing on the schedule leads to this exam: it was begun at the console without a line of "
        "the worklist, or with one of another hospital. Its images come in as usual and wait for "
        "an order."
    ),
    PATIENT_DIFFERS: (
        "The scanner says it examined somebody else than the schedule says. The scheduled exam was "
        "left as it is. Ask at the scanner who was on the table."
    ),
    STEP_OVER: (
        "The exam was cancelled or closed here, and the scanner did it all the same. Its images "
        "are kept. Either the order is to be placed again, or the exam was not to be done."
    ),
    NO_IMAGES: (
        "The scanner says which images it made, and not all of them are here. They may still be on "
        "the scanner: have it send them again."
    ),
    LATE: (
        "The scanner began the exam and never said that it ended. The exam may be over, and only "
        "the message lost: end it on the list of the day."
    ),
}


def _lines(actor: Actor, rows: list[WorklistAttention]) -> dict[int, Line]:
    steps = PerformedStep.objects.in_bulk([row.performed_step_id for row in rows])
    found = {}
    for row in rows:
        step = steps.get(row.performed_step_id or 0)
        station = row.details.get("station", "")
        begun = f"begun {when(step.started_at)}" if step else ""
        found[row.pk] = Line(row.summary, station, begun)
    return found


def _case(actor: Actor, row: WorklistAttention) -> Case:
    step = row.performed_step
    station = str(row.details.get("station", ""))
    facts: list[tuple[str, Any]] = [("Station", station)]
    case = Case(title=row.summary, why=WHY[row.kind], context={"facts": facts})
    if step is None:
        return case
    facts += [
        ("Begun", when(step.started_at)),
        ("Ended", when(step.ended_at) if step.ended_at else "not yet"),
        ("State", step.status),
        ("Step", step.performed_procedure_step_id),
    ]
    scan: LinkState = "broken" if row.kind != NO_IMAGES else "done"
    images: LinkState = "broken" if row.kind == NO_IMAGES else "todo"
    first: LinkState = "broken" if row.kind == UNSCHEDULED else "done"
    case.chain = [
        ChainLink("Order", first),
        ChainLink("Scan", "done" if first == "broken" else scan, station),
        ChainLink("Images", images),
        ChainLink("Read"),
        ChainLink("Result"),
    ]
    case.patient_id = step.patient_id
    if step.study_instance_uid:
        query = urlencode({"StudyInstanceUIDs": step.study_instance_uid})
        case.links = [("images", "Open the images", f"/viewer/?{query}")]
        case.study = step.study_instance_uid
    return case


def _kind(key: str, words: str, icon: str, tone: str = "") -> Kind:
    return Kind(key, WorklistAttention, words, icon, _lines, _case, tone=tone)


KINDS = (
    _kind(NO_IMAGES, "Exam, no images", "inbox"),
    _kind(PATIENT_DIFFERS, "Other patient scanned", "person", "crit"),
    _kind(UNSCHEDULED, "Scan nobody booked", "gantry"),
    _kind(STEP_OVER, "Scan after cancelling", "ban"),
    _kind(LATE, "Scanner step late", "timer"),
)
