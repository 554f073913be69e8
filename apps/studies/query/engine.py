"""The one query engine of C-FIND and QIDO-RS."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.db.models import Model, Q, QuerySet
from pydicom.datadict import keyword_for_tag

from apps.audit.steps import record_read
from apps.core import sql
from apps.core.actors import Actor
from apps.patients.models import Patient
from apps.studies import audit_events, statements
from apps.studies.identity import Identity, identities_of
from apps.studies.models import Instance, Series, Study
from apps.studies.query import guard, matching
from apps.studies.query.attributes import (
    ATTRIBUTES,
    ISSUER_OF_PATIENT_ID,
    MODALITIES_IN_STUDY,
    MOMENTS,
    PATIENT_BIRTH_DATE,
    PATIENT_ID,
    PATIENT_INSTANCES,
    PATIENT_NAME,
    PATIENT_SERIES,
    PATIENT_SEX,
    PATIENT_STUDIES,
    SERIES_INSTANCE_UID,
    SOP_CLASSES_IN_STUDY,
    SOP_INSTANCE_UID,
    STUDY_DATE,
    STUDY_INSTANCE_UID,
    Attribute,
    Level,
    attributes_of,
)

ALIASES_AT_MOST = 20_000
MANY_OF_A_NAME = 1000
"""Bearers of a name that are listed; of more, PostgreSQL joins them."""
MANY_FOR_A_PAGE = 400
"""From so many on, a page is found sooner by going back through the dates."""
PAGES_UP_TO = 5000
"""Rows up to a page's end; what goes beyond is no page that a person turns to."""
MODEL: dict[Level, type[Model]] = {
    Level.STUDY: Study,
    Level.SERIES: Series,
    Level.IMAGE: Instance,
}
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
    Level.STUDY: "st.study_date DESC, st.study_time DESC, st.id DESC",
    Level.SERIES: "se.study_id, se.id",
    Level.IMAGE: "i.series_id, i.id",
}
SORTED = "st.study_date || '' DESC, st.study_time DESC, st.id DESC"
"""The same order, by no index: for few studies, or PostgreSQL looks for them through all dates."""
ONE_PLAN = frozenset({PATIENT_ID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID})
"""Keys so selective that a plan made without their values is the right one."""


class Row(Mapping[int, Any]):
    """A match: values by tag, as the index has them; text, number, or list of texts.

    Attributes:
        own: of the level asked for.
        above: of the levels above, one object for all rows that share it.
    """

    __slots__ = ("above", "own")

    def __init__(self, own: dict[int, Any], above: dict[int, Any]) -> None:
        self.own = own
        self.above = above

    def __getitem__(self, tag: int) -> Any:
        """Return a value, the own one first."""
        return self.own[tag] if tag in self.own else self.above[tag]

    def __iter__(self) -> Iterator[int]:
        """Yield all tags."""
        return iter({**self.above, **self.own})

    def __len__(self) -> int:
        """Return the number of attributes."""
        return len({**self.above, **self.own})


MATCHING: Mapping[str, Callable[[str, str], Q]] = {
    "DA": matching.date_filter,
    "TM": matching.time_filter,
    "UI": matching.uid_filter,
    "US": matching.number_filter,
    "IS": matching.integer_filter,
}
"""How a key of a VR matches; what is not here is text with wild cards (PS3.4 C.2.2.2)."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked.

    Attributes:
        keys: matching keys by tag, as text; a universal key is as good as none. A key of a level
            below asks for rows that hold such a thing (a relational query).
        fuzzy: names match by beginnings of words.
        combined: a date range and a time range are one range of moments.
        limit: rows at most; None for as many as the guard rail allows.
        offset: rows to pass over.
    """

    level: Level
    keys: Mapping[int, str] = field(default_factory=dict)
    fuzzy: bool = False
    combined: bool = False
    limit: int | None = None
    offset: int = 0

    def text(self) -> str:
        """Return the query for the audit trail."""
        asked = [f"{keyword_for_tag(t) or f'{t:08X}'}={v}" for t, v in self.keys.items() if v]
        return f"{self.level.name} {' '.join(asked)}".strip()


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found.

    Attributes:
        more: a limit cut it off, the query's or the guard rail's.
        unsupported: keys that were left aside.
        too_many: it was the guard rail's.
    """

    rows: Sequence[Row]
    more: bool
    unsupported: frozenset[int]
    too_many: bool = False


def search(*, actor: Actor, query: Query, door: str) -> Answer:
    """Answer a query with the rows that the actor may see, in a stable order.

    Rows hold every attribute of the level and above by tag: text, or a list of texts, as the index
    has it, under the patient's identity of today. Audited as one event with the query's text.

    Raises:
        QueryRefusedError: a key is malformed.
        QueryTooBroadError: no index helps, and going through all would take too long.
    """
    unsupported = frozenset(
        tag
        for tag, key in query.keys.items()
        if not matching.is_universal(key) and not (tag in ATTRIBUTES and ATTRIBUTES[tag].match)
    )
    allowed = guard.rows_allowed(actor)
    limit = min(query.limit if query.limit is not None else allowed, allowed)
    find = _patients if query.level is Level.PATIENT else _rows
    with guard.watched(query.level, query.keys) as check:
        rows = find(actor, query, limit + 1, check)
    record_read(actor=actor, event=audit_events.SEARCHED, door=door, query=query.text()[:2000])
    more = len(rows) > limit
    return Answer(rows[:limit], more, unsupported, too_many=more and limit == allowed)


def _rows(actor: Actor, query: Query, limit: int, check: guard.Check) -> list[Row]:
    """Find by one statement, and what lies above the matches by another."""
    model = MODEL[query.level]
    wanted, values = statements.condition(model, _wanted(query))
    allowed, more = statements.visible(actor)
    asked = {tag for tag, key in query.keys.items() if not matching.is_universal(key)}
    listed = query.level is Level.STUDY and PATIENT_NAME in asked and sql.PROBE not in wanted
    order = SORTED if listed else ORDER[query.level]
    chosen = (
        f"WHERE {wanted} AND {allowed} ORDER BY {order} LIMIT {limit:d} OFFSET {query.offset:d}"
    )
    by_key = bool(asked) and asked <= ONE_PLAN
    if query.level is Level.STUDY and not by_key and _is_page(query):
        # Chosen from an index alone; only what is on the page is read.
        page = f"(SELECT st.id FROM {statements.FROM[Study]} {chosen}) page"  # noqa: S608 - bound
        statement = f"{_select(query.level)} JOIN {page} ON page.id = st.id ORDER BY {order}"
    else:
        statement = f"{_select(query.level)} {chosen}"
    values += more
    check(statement, values)
    one_plan = asked <= (ONE_PLAN | {PATIENT_NAME} if listed else ONE_PLAN)
    prepare = bool(asked) and one_plan and " LIKE " not in wanted
    found = sql.fetch(statement, values, prepare=prepare)
    if query.level is Level.STUDY:
        return [Row(one, {}) for one in _under_identity(found, Level.STUDY).values()]
    above = _above(query.level, {row[0] for row in found})
    tags = _tags(query.level)
    own = -len(tags)
    return [Row(dict(zip(tags, row[own:], strict=True)), above[row[0]]) for row in found]


def _is_page(query: Query) -> bool:
    return query.limit is not None and query.limit + query.offset <= PAGES_UP_TO


def _above(level: Level, keys: Collection[int]) -> dict[int, dict[int, Any]]:
    """Return the parents of series or images by primary key, with all that lies above them."""
    if not keys:
        return {}
    parent = Level(level - 1)
    alias = statements.ALIAS[MODEL[parent]]
    found = sql.fetch(f"{_select(parent)} WHERE {alias}.id = ANY(%s)", [list(keys)], prepare=True)
    if parent is Level.STUDY:
        return _under_identity(found, parent)
    studies = _above(parent, {row[0] for row in found})
    tags = _tags(parent)
    return {row[1]: studies[row[0]] | dict(zip(tags, row[2:], strict=True)) for row in found}


@lru_cache
def _select(level: Level) -> str:
    """Return the statement's beginning: keys first, then the level's attributes as in `_tags`."""
    columns = statements.columns_of(MODEL[level])
    own = [columns[a.column] for a in _held(level)]
    source = statements.FROM[MODEL[level]]
    if level is Level.STUDY:
        keys = ["st.id", "st.patient_id", "p.survivor_id", "st.patient_version = p.version"]
        source = f"{source} {statements.PATIENT_OF_STUDY}"
    else:
        keys = ["se.study_id", "se.id"] if level is Level.SERIES else ["i.series_id"]
    return f"SELECT {', '.join(keys + own)} FROM {source}"  # noqa: S608 - names only


@lru_cache
def _held(level: Level) -> list[Attribute]:
    levels = (Level.PATIENT, Level.STUDY) if level is Level.STUDY else (level,)
    return [a for a in attributes_of(level) if a.column and a.level in levels]


@lru_cache
def _tags(level: Level) -> list[int]:
    return [attribute.tag for attribute in _held(level)]


def _under_identity(rows: Sequence[tuple[Any, ...]], level: Level) -> dict[int, dict[int, Any]]:
    """Turn studies' tuples into values by tag; a changed patient's have today's identity."""
    changed = {row[1] for row in rows if row[2] is not None or not row[3]}
    identities = identities_of(changed) if changed else {}
    tags = _tags(level)
    result = {}
    for row in rows:
        values = result[row[0]] = dict(zip(tags, row[4:], strict=True))
        if row[1] in identities:
            values.update(_identity_values(identities[row[1]]))
    return result


def _identity_values(identity: Identity) -> dict[int, Any]:
    return {
        PATIENT_NAME: identity.name,
        PATIENT_ID: identity.patient_id,
        ISSUER_OF_PATIENT_ID: identity.issuer_of_patient_id,
        PATIENT_BIRTH_DATE: identity.birth_date,
        PATIENT_SEX: identity.sex,
    }


def _patients(actor: Actor, query: Query, limit: int, check: guard.Check) -> list[Row]:
    """Patients that have studies the actor sees; those merged away stand under their survivor."""
    wanted, values = statements.condition(Study, _wanted(query))
    allowed, more = statements.visible(actor)
    statement = (
        "SELECT coalesce(p.survivor_id, p.id), count(*),"  # noqa: S608 - values are bound
        " sum(st.number_of_series), sum(st.number_of_instances)"
        f" FROM {statements.FROM[Study]} {statements.PATIENT_OF_STUDY}"
        f" WHERE {wanted} AND {allowed}"
        f" GROUP BY 1 ORDER BY 1 LIMIT {limit:d} OFFSET {query.offset:d}"
    )
    values += more
    check(statement, values)
    found = sql.fetch(statement, values)
    identities = identities_of([patient for patient, *_ in found])
    counts = (PATIENT_STUDIES, PATIENT_SERIES, PATIENT_INSTANCES)
    return [
        Row(_identity_values(identities[patient]) | dict(zip(counts, numbers, strict=True)), {})
        for patient, *numbers in found
        if patient in identities
    ]


def _wanted(query: Query) -> Q:
    """Return the filter of a query over its own level; patients are counted by their studies."""
    wanted = _filter(query, PREFIX[max(query.level, Level.STUDY)])
    below = _below(query)
    return wanted if below is None else wanted & Q(pk__in=below)


def _below(query: Query) -> QuerySet | None:
    """Return what holds something that matches the keys of the levels below; None without any."""
    asked = {
        ATTRIBUTES[tag].level
        for tag, key in query.keys.items()
        if tag in ATTRIBUTES and ATTRIBUTES[tag].match and not matching.is_universal(key)
    }
    deepest = max(asked, default=Level.PATIENT)
    if deepest <= max(query.level, Level.STUDY):
        return None
    model: type[Series | Instance] = Series if deepest is Level.SERIES else Instance
    prefix = PREFIX[deepest]
    lower = {level: path for level, path in prefix.items() if level > query.level}
    lower.pop(Level.STUDY, None)  # a patient's studies are filtered where they are counted
    above = Level.SERIES if query.level is Level.SERIES else Level.STUDY
    parent = {
        (Level.SERIES, Level.STUDY): "study",
        (Level.IMAGE, Level.STUDY): "series__study",
        (Level.IMAGE, Level.SERIES): "series",
    }[deepest, above]
    return model.objects.filter(_filter(query, lower)).values(parent)


def _filter(query: Query, prefix: Mapping[Level, str]) -> Q:
    """Return the filter of the keys whose levels have a path in `prefix`."""
    result = Q()
    to_study = prefix.get(Level.STUDY, "")
    patient_id = query.keys.get(PATIENT_ID, "")
    issuer = query.keys.get(ISSUER_OF_PATIENT_ID, "")
    keys = dict(query.keys)
    if query.combined:
        result &= _moments(keys, prefix)
    for tag, key in keys.items():
        attribute = ATTRIBUTES.get(tag)
        if attribute is None or not attribute.match or matching.is_universal(key):
            continue
        if attribute.level not in prefix:
            continue  # of a level below: see `_below`
        if tag == PATIENT_ID:
            result &= Q(**{f"{to_study}patient__in": _of_number(patient_id, issuer)})
        elif tag == ISSUER_OF_PATIENT_ID:
            if matching.is_universal(patient_id):
                result &= Q(**{f"{to_study}patient__in": _of_number("", issuer)})
        else:
            result &= _one(attribute, prefix[attribute.level], to_study, key, query)
    return result


def _moments(keys: dict[int, str], prefix: Mapping[Level, str]) -> Q:
    """Take out of the keys the pairs of a date and a time that match as one."""
    result = Q()
    for date, time in MOMENTS.items():
        level = ATTRIBUTES[date].level
        if level not in prefix or not (keys.get(date) and keys.get(time)):
            continue
        of_date, of_time = (prefix[level] + ATTRIBUTES[tag].column for tag in (date, time))
        pair = matching.moment_filter(of_date, of_time, keys[date], keys[time])
        if pair is not None:
            result &= pair
            del keys[date], keys[time]
    return result


def _one(attribute: Attribute, prefix: str, to_study: str, key: str, query: Query) -> Q:
    column = prefix + attribute.column
    tag, fuzzy = attribute.tag, query.fuzzy
    if tag == PATIENT_NAME:
        return _of_name(to_study, key, query)
    if attribute.vr == "PN":
        return matching.person_name_filter(f"{column}__folded", key, fuzzy=fuzzy)
    if tag in (MODALITIES_IN_STUDY, SOP_CLASSES_IN_STUDY):
        # Days narrow more than a modality, whose list in its index is a fifth of all studies.
        dated = not matching.is_universal(query.keys.get(STUDY_DATE, ""))
        return matching.array_filter(column, key, indexed=not dated)
    if attribute.column == "number_of_frames":
        return matching.number_filter(column, key)
    result = MATCHING.get(attribute.vr, matching.text_filter)(column, key)
    if tag == PATIENT_BIRTH_DATE:
        result |= _of_person(to_study, "birth_date", key, matching.born_filter)
    elif tag == PATIENT_SEX:
        result |= _of_person(to_study, "sex", key, matching.text_filter)
    return result


def _of_person(to_study: str, column: str, key: str, match: Callable[[str, str], Q]) -> Q:
    """Studies of patients of whom this is known today: registration may have corrected it since."""
    people = Patient.objects.filter(match(column, key) | match(f"survivor__{column}", key))
    return Q(**{f"{to_study}patient__in": people.values("pk")})


def _of_name(to_study: str, key: str, query: Query) -> Q:
    """Studies of patients so named, and of those whose survivor is.

    A rare name is a list of patients, whose studies are few. A common one has too many to sort for
    one page: there the newest studies are gone through until the page is full. PostgreSQL cannot
    choose between the two, as it does not know how common a beginning is.
    """
    name = matching.person_name_filter("name_search", key, fuzzy=query.fuzzy)
    named, values = sql.where(name, {"name_search": "who.name_search"})
    people = f"SELECT who.id FROM patients_patient who WHERE {named}"  # noqa: S608 - bound
    # Merges are rare: asked for apart, so that the usual query stays one indexed join.
    merged = (
        "SELECT alias.id, TRUE FROM patients_patient alias WHERE alias.survivor_id IS NOT NULL"  # noqa: S608 - bound
        f" AND alias.survivor_id = ANY(ARRAY({{}})) LIMIT {ALIASES_AT_MOST}"
    )
    probed = _is_page(query) and query.level is Level.STUDY
    many = MANY_FOR_A_PAGE if probed else MANY_OF_A_NAME
    found = sql.fetch(
        f"WITH few AS MATERIALIZED ({people} LIMIT {many + 1})"  # noqa: S608 - bound
        f" SELECT id, FALSE FROM few UNION ALL ({merged.format('SELECT id FROM few')})",
        values,
    )
    if sum(not is_alias for _, is_alias in found) <= many:
        return Q(**{f"{to_study}patient__in": [patient for patient, _ in found]})
    form = sql.PROBED if probed else sql.AMONG
    result = Q(**{f"{to_study}patient__in": sql.Subquery(people, values, form)})
    aliases = [alias for alias, _ in sql.fetch(merged.format(people), values)]
    return result | Q(**{f"{to_study}patient__in": aliases}) if aliases else result


def _of_number(value: str, issuer: str) -> sql.Subquery:
    """Patients of a number, aliases included: any alias finds the survivor's studies."""
    numbers = Q()
    if not matching.is_universal(value):
        numbers &= matching.text_filter("value", value)
    if not matching.is_universal(issuer):
        numbers &= matching.text_filter("issuer", issuer)
    wanted, values = sql.where(numbers, {"value": "number.value", "issuer": "number.issuer"})
    return sql.Subquery(
        "WITH kept AS (SELECT DISTINCT coalesce(p.survivor_id, p.id) AS id"  # noqa: S608 - bound
        " FROM patients_patientidentifier number JOIN patients_patient p"
        f" ON p.id = number.patient_id WHERE {wanted} LIMIT {ALIASES_AT_MOST})"
        " SELECT id FROM kept UNION"
        " SELECT alias.id FROM patients_patient alias JOIN kept ON alias.survivor_id = kept.id",
        values,
        sql.LISTED,
    )
