"""The one query engine of C-FIND and QIDO-RS."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q, QuerySet
from pydicom.datadict import keyword_for_tag

from apps.audit.steps import record_read
from apps.core.actors import Actor
from apps.patients.models import Patient, PatientIdentifier
from apps.studies import audit_events, policies
from apps.studies.identity import Identity, identities_of
from apps.studies.models import Instance, Series, Study
from apps.studies.query import matching
from apps.studies.query.attributes import (
    ATTRIBUTES,
    ISSUER_OF_PATIENT_ID,
    MODALITIES_IN_STUDY,
    PATIENT_BIRTH_DATE,
    PATIENT_ID,
    PATIENT_NAME,
    PATIENT_SEX,
    PATIENT_STUDIES,
    SOP_CLASSES_IN_STUDY,
    Attribute,
    Level,
    attributes_of,
)

MAX_ROWS = 20_000
Row = dict[int, Any]
PREFIX = {
    Level.STUDY: {Level.PATIENT: "", Level.STUDY: ""},
    Level.SERIES: {Level.PATIENT: "study__", Level.STUDY: "study__", Level.SERIES: ""},
    Level.IMAGE: {
        Level.PATIENT: "series__study__",
        Level.STUDY: "series__study__",
        Level.SERIES: "series__",
        Level.IMAGE: "",
    },
}
ORDER = {
    Level.STUDY: ("-study_date", "-study_time", "-pk"),
    Level.SERIES: ("study_id", "pk"),
    Level.IMAGE: ("series_id", "pk"),
}


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked.

    Attributes:
        keys: matching keys by tag, as text; a universal key is as good as none.
        fuzzy: names match by beginnings of words.
        limit: rows at most; None for as many as the guard rail allows.
        offset: rows to pass over.
    """

    level: Level
    keys: Mapping[int, str] = field(default_factory=dict)
    fuzzy: bool = False
    limit: int | None = None
    offset: int = 0

    def text(self) -> str:
        """Return the query for the audit trail."""
        asked = [f"{keyword_for_tag(t) or f'{t:08X}'}={v}" for t, v in self.keys.items() if v]
        return f"{self.level.name} {' '.join(asked)}".strip()


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found: `more` tells that the limit cut it off."""

    rows: Sequence[Row]
    more: bool
    unsupported: frozenset[int]


def search(*, actor: Actor, query: Query, door: str) -> Answer:
    """Answer a query with the rows that the actor may see, in a stable order.

    Rows hold every attribute of the level and above by tag: text, or a list of texts, as the index
    has it, under the patient's identity of today. Audited as one event with the query's text.

    Raises:
        QueryRefusedError: a key is malformed.
    """
    unsupported = frozenset(
        tag
        for tag, key in query.keys.items()
        if not matching.is_universal(key) and not (tag in ATTRIBUTES and ATTRIBUTES[tag].match)
    )
    limit = min(query.limit if query.limit is not None else MAX_ROWS, MAX_ROWS)
    found = _patients(actor, query) if query.level is Level.PATIENT else _rows(actor, query)
    rows = found(query.offset, query.offset + limit + 1)
    record_read(actor=actor, event=audit_events.SEARCHED, door=door, query=query.text()[:2000])
    return Answer(rows[:limit], len(rows) > limit, unsupported)


Fetch = Callable[[int, int], list[Row]]


def _rows(actor: Actor, query: Query) -> Fetch:
    model: type[Study | Series | Instance] = {
        Level.STUDY: Study,
        Level.SERIES: Series,
        Level.IMAGE: Instance,
    }[query.level]  # type: ignore[assignment]
    prefix = PREFIX[query.level]
    to_study = prefix[Level.STUDY]
    rows: QuerySet = model.objects.filter(_filter(query, prefix))
    visible = policies.visible(actor)
    if visible and query.level is Level.STUDY:
        rows = rows.filter(visible)
    elif visible:
        rows = rows.filter(**{f"{to_study}in": Study.objects.filter(visible)})
    held = [a for a in attributes_of(query.level) if a.column]
    columns = [prefix[a.level] + a.column for a in held]
    identity = [f"{to_study}{name}" for name in ("pk", "patient_id", "patient_version")]
    identity += [f"{to_study}patient__version", f"{to_study}patient__survivor"]

    def fetch(start: int, end: int) -> list[Row]:
        values = rows.order_by(*ORDER[query.level]).values_list(*columns, *identity)[start:end]
        return list(_with_identity(values, held))

    return fetch


def _with_identity(values: Iterable[tuple[Any, ...]], held: Sequence[Attribute]) -> Iterator[Row]:
    """Turn tuples into rows; where a patient changed since, give today's identity."""
    count = len(held)
    values = list(values)
    changed = {v[count + 1] for v in values if v[count + 4] or v[count + 2] != v[count + 3]}
    identities = identities_of(changed) if changed else {}
    tags = [attribute.tag for attribute in held]
    for value in values:
        row = dict(zip(tags, value[:count], strict=True))
        if value[count + 1] in identities:
            row |= _identity_row(identities[value[count + 1]])
        yield row


def _identity_row(identity: Identity) -> Row:
    return {
        PATIENT_NAME: identity.name,
        PATIENT_ID: identity.patient_id,
        ISSUER_OF_PATIENT_ID: identity.issuer_of_patient_id,
        PATIENT_BIRTH_DATE: identity.birth_date,
        PATIENT_SEX: identity.sex,
    }


def _patients(actor: Actor, query: Query) -> Fetch:
    """Patients that have studies the actor sees; those merged away stand under their survivor."""
    studies = Study.objects.filter(policies.visible(actor), _filter(query, PREFIX[Level.STUDY]))

    def fetch(start: int, end: int) -> list[Row]:
        counts: dict[int, int] = {}
        survivors = studies.values_list("patient__survivor", "patient")
        for survivor, patient, count in survivors.annotate(count=Count("pk")).order_by("patient"):
            counts[survivor or patient] = counts.get(survivor or patient, 0) + count
        page = sorted(counts)[start:end]
        identities = identities_of(page)
        return [
            _identity_row(identities[pk]) | {PATIENT_STUDIES: counts[pk]}
            for pk in page
            if pk in identities
        ]

    return fetch


def _filter(query: Query, prefix: Mapping[Level, str]) -> Q:
    result = Q()
    to_study = prefix[Level.STUDY]
    patient_id = query.keys.get(PATIENT_ID, "")
    issuer = query.keys.get(ISSUER_OF_PATIENT_ID, "")
    for tag, key in query.keys.items():
        attribute = ATTRIBUTES.get(tag)
        if attribute is None or not attribute.match or matching.is_universal(key):
            continue
        if attribute.level not in prefix:
            continue  # a key below the level asked for: relational, not supported here
        if tag == PATIENT_ID:
            result &= Q(**{f"{to_study}patient__in": _of_number(patient_id, issuer)})
        elif tag == ISSUER_OF_PATIENT_ID:
            if matching.is_universal(patient_id):
                result &= Q(**{f"{to_study}patient__in": _of_number("", issuer)})
        else:
            result &= _one(attribute, prefix[attribute.level], to_study, key, fuzzy=query.fuzzy)
    return result


def _one(attribute: Attribute, prefix: str, to_study: str, key: str, *, fuzzy: bool) -> Q:
    column = prefix + attribute.column
    tag, vr = attribute.tag, attribute.vr
    if tag == PATIENT_NAME:
        return _of_name(to_study, key, fuzzy=fuzzy)
    if tag == PATIENT_BIRTH_DATE:
        return matching.date_filter(column, key)
    if tag in (MODALITIES_IN_STUDY, SOP_CLASSES_IN_STUDY):
        return matching.array_filter(column, key)
    if vr == "PN":
        return Q(**{f"{column}__iregex": _name_regex(key, fuzzy=fuzzy)})
    simple: dict[str, Callable[[str, str], Q]] = {
        "DA": matching.date_filter,
        "TM": matching.time_filter,
        "UI": matching.uid_filter,
        "US": matching.number_filter,
    }
    if attribute.column == "number_of_frames":
        return matching.number_filter(column, key)
    return simple.get(vr, matching.text_filter)(column, key)


def _name_regex(key: str, *, fuzzy: bool) -> str:
    """Match a name column that is kept as received (referring physician): case aside only."""
    pattern = re.escape(key.strip().rstrip("^")).replace(r"\*", ".*").replace(r"\?", ".")
    return rf"(^|[\^= ]){pattern}" if fuzzy else rf"^{pattern}\^*(=|$)"


def _of_name(to_study: str, key: str, *, fuzzy: bool) -> Q:
    """Studies of patients so named, and of those whose survivor is."""
    named = Patient.objects.filter(matching.person_name_filter("name_search", key, fuzzy=fuzzy))
    result = Q(**{f"{to_study}patient__in": named.values("pk")})
    # Merges are rare: asked for apart, so that the usual query stays one indexed join.
    merged = Patient.objects.filter(survivor__isnull=False, survivor__in=named.values("pk"))
    aliases = list(merged.values_list("pk", flat=True)[:MAX_ROWS])
    return result | Q(**{f"{to_study}patient__in": aliases}) if aliases else result


def _of_number(value: str, issuer: str) -> list[int] | QuerySet:
    """Patients of a number, aliases included: any alias finds the survivor's studies."""
    numbers = PatientIdentifier.objects.all()
    if not matching.is_universal(value):
        numbers = numbers.filter(matching.text_filter("value", value))
    if not matching.is_universal(issuer):
        numbers = numbers.filter(matching.text_filter("issuer", issuer))
    kept = {
        survivor or patient
        for patient, survivor in numbers.values_list("patient", "patient__survivor")[:MAX_ROWS]
    }
    merged = Patient.objects.filter(survivor__in=kept).values_list("pk", flat=True)
    return [*kept, *merged] if kept else []
