"""The modality worklist: which steps a scanner sees, and which of them it asked for."""

import datetime
from collections.abc import Callable

from django.conf import settings
from django.db.models import Q, QuerySet
from pydicom.dataset import Dataset

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.audit.steps import record_read
from apps.core.actors import Actor
from apps.core.errors import InvalidInputError
from apps.patients.domain import fold
from apps.patients.models import Patient, PatientIdentifier
from apps.scheduling.domain import AWAITED
from apps.scheduling.models import ScheduledStep
from apps.scheduling.selectors import steps_visible_to
from apps.worklists import audit_events
from apps.worklists.modality.items import worklist_item
from apps.worklists.modality.matching import (
    answer,
    date_bounds,
    matches,
    texts,
    wildcard_matches,
)

PATIENT_NAME, PATIENT_ID, ISSUER = 0x00100010, 0x00100020, 0x00100021
STEP_SEQUENCE = 0x00400100
STEP_DATE = 0x00400002

EXACT_IN_STEP = {
    0x00400001: "scheduled_station_ae_title",
    0x00080060: "modality",
    0x00400009: "scheduled_procedure_step_id",
    0x00400020: "status",
}
EXACT = {
    0x00080050: "requested_procedure__order__accession_number",
    0x0020000D: "requested_procedure__study_instance_uid",
    0x00401001: "requested_procedure__requested_procedure_id",
}


class InvalidKeyError(InvalidInputError):
    """A key of the identifier is no value of its kind."""

    code = "worklists.invalid-key"


def worklist_statuses() -> tuple[str, ...]:
    """Return the states in which a step is offered to scanners."""
    return (*AWAITED, "STARTED") if settings.ISOCENTER_WORKLIST_STARTED else AWAITED


def modality_worklist(
    *, actor: Actor, query: Dataset, at: datetime.datetime, door: str = "dimse"
) -> list[Dataset]:
    """Return the answers to a Modality Worklist C-FIND, in the order of their start.

    The actor sees steps of its site that wait to be done (SCHEDULED, ARRIVED, READY; STARTED too
    with ISOCENTER_WORKLIST_STARTED). Within those all keys of Table K.6-1 that we hold are matched:
    an AE title that the SCU leaves out matches every station of its site, as the standard has
    it. A patient is found by any number of a merge, and shown under the one that survives. Every
    answer holds what was asked for, in Unicode; (0008,0005) is ISO_IR 192 until the edge
    re-encodes it.

    Args:
        actor: an application entity with the verb worklist.
        query: the identifier as received, decoded.
        at: now.
        door: for the audit trail, which gets one event with the text of the query.

    Raises:
        NotPermittedError: the actor may not ask for worklists.
        InvalidKeyError: a date is no date.

    Source: PS3.4 K.6.1.
    """
    policy.require(actor, Permission.WORKLIST_READ)
    by_number = bool(_text(query, PATIENT_ID))
    found = []
    for step in _narrowed(actor, query):
        candidate = worklist_item(step)
        if matches(query, candidate, _patient_id_keys(step) if by_number else {}):
            found.append(answer(query, candidate))
    record_read(
        actor=actor,
        event=audit_events.WORKLIST_QUERIED,
        door=door,
        query=query_text(query),
        found=len(found),
    )
    del at  # the worklist is what waits; a moment does not change it
    return found


def _patient_id_keys(step: ScheduledStep) -> dict[int, Callable[[str], bool]]:
    """A patient's number is any number of the merge it belongs to."""
    numbers = _numbers(step.requested_procedure.order.patient)
    return {
        PATIENT_ID: lambda text: any(wildcard_matches(text, value) for value, _ in numbers),
        ISSUER: lambda text: any(wildcard_matches(text, issuer) for _, issuer in numbers),
    }


def _numbers(patient: Patient) -> list[tuple[str, str]]:
    kept = patient.survivor or patient
    family = [kept, *kept.merged.all()]
    return [(one.value, one.issuer) for person in family for one in person.identifiers.all()]


def _narrowed(actor: Actor, query: Dataset) -> QuerySet[ScheduledStep]:
    """Narrow in the database by what an index answers; the matching decides afterwards."""
    items = list(query[STEP_SEQUENCE].value or []) if STEP_SEQUENCE in query else []
    inner = items[0] if items else Dataset()
    wanted = Q(status__in=worklist_statuses())
    for keys, fields in ((inner, EXACT_IN_STEP), (query, EXACT)):
        for tag, field in fields.items():
            values = texts(keys[tag]) if tag in keys else []
            if values and not any(char in value for value in values for char in "*?"):
                wanted &= Q(**{f"{field}__in": values})
    wanted &= _dates(inner)
    number = _text(query, PATIENT_ID)
    if number and not any(char in number for char in "*?"):
        holders = PatientIdentifier.objects.filter(value=number).values("patient")
        wanted &= (
            Q(requested_procedure__order__patient__in=holders)
            | Q(requested_procedure__order__patient__survivor__in=holders)
            | Q(requested_procedure__order__patient__merged__in=holders)
            | Q(requested_procedure__order__patient__survivor__merged__in=holders)
        )
    wanted &= _name(_text(query, PATIENT_NAME))
    people = (
        "requested_procedure__order__patient",
        "requested_procedure__order__patient__survivor",
    )
    fetch = [f"{person}__identifiers" for person in people]
    if number:
        fetch += [f"{person}__merged__identifiers" for person in people]
    rows = steps_visible_to(actor, Permission.WORKLIST_READ).filter(wanted)
    if number:
        rows = rows.filter(pk__in=rows.values("pk")).distinct()
    return rows.prefetch_related(*fetch).order_by("start_at", "pk")


def _dates(inner: Dataset) -> Q:
    text = _text(inner, STEP_DATE)
    if not text:
        return Q()
    try:
        first, last = date_bounds(text)
    except ValueError as error:
        message = f"{text!r} is no date and no range of dates."
        raise InvalidKeyError(message, key="0040,0002") from error
    result = Q()
    if first:
        result &= Q(start_date__gte=first)
    if last:
        result &= Q(start_date__lte=last)
    return result


def _name(text: str) -> Q:
    """The letters before the first wild card begin one of the name's groups."""
    if "=" in text:
        return Q()
    start = fold(text.split("*", maxsplit=1)[0].split("?", maxsplit=1)[0]).rstrip("^ ")
    if not start:
        return Q()
    result = Q()
    for person in ("patient", "patient__survivor"):
        field = f"requested_procedure__order__{person}__name_search"
        result |= Q(**{f"{field}__startswith": start}) | Q(**{f"{field}__contains": f"={start}"})
    return result


def _text(keys: Dataset, tag: int) -> str:
    found = texts(keys[tag]) if tag in keys else []
    return found[0] if found else ""


def query_text(query: Dataset) -> str:
    """Return the keys that have a value, as a privacy officer reads them."""
    parts = []
    for element in query:
        if element.VR == "SQ":
            inner = "; ".join(query_text(item) for item in element.value or [])
            if inner:
                parts.append(inner)
        elif element.tag != 0x00080005 and texts(element):
            parts.append(f"{element.keyword or element.tag}={chr(92).join(texts(element))}")
    return "; ".join(parts)
