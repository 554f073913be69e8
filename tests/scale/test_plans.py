"""Each of the eight queries goes along its index, and reads or sorts no table whole; nor do pages.

The small twin of `test_million`: at 20,000 studies PostgreSQL's plans are those of a million.
"""

import datetime as dt
import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.accounts.selectors import actor_for_ae, actor_for_user
from apps.core import clock
from apps.core.actors import system_actor
from apps.demo.synthetic.load import synthetic_load
from apps.dicomweb.qido import parse
from apps.orders.selectors import newest_exams_granted_to
from apps.studies.query import Level, Query, search
from apps.worklists.reading.selectors import reading_list
from apps.worklists.selectors import modality_worklist
from apps.workspace.results import result_access
from tests.scale.workload import EIGHT, EightQuery, worklist_identifier

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]
STUDIES = 20_000
KEYS = 12
SORTED_AT_MOST = 1500
SMALL = 3000
"""Tables with fewer rows may be read whole: rooms, sites, the catalogue, people of the staff."""


def ask(statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall()


@pytest.fixture
def loaded():
    synthetic_load(
        actor=system_actor("synthetic"),
        studies=STUDIES,
        at=dt.datetime(2026, 11, 24, 13, 10, tzinfo=dt.UTC),
    )
    User.objects.create(username="all", roles=["admin"])


def run(query: EightQuery, keys: dict[str, str]) -> None:
    """Ask in process what `tests.scale.doors` asks through the doors."""
    person = actor_for_user(User.objects.get(username="all"))
    scanner = actor_for_ae("SCALE", "127.0.0.1").actor
    if query.door == "qido":
        page = {"limit": [str(query.limit)], "offset": [str(query.offset)]}
        asked = parse({name: [value] for name, value in keys.items()} | page, Level.STUDY, {})
        search(actor=person, query=asked, door="dicomweb")
    elif query.door == "find":
        asked = parse({name: [value] for name, value in keys.items()}, Level.STUDY, {})
        search(actor=scanner, query=Query(Level.STUDY, asked.keys), door="dimse")
    elif query.door == "worklist":
        modality_worklist(actor=scanner, query=worklist_identifier(keys), at=clock.now())
    else:
        reading_list(person)


def plans(query: EightQuery, keys: dict[str, str]) -> list[dict[str, Any]]:
    with CaptureQueriesContext(connection) as captured:
        run(query, keys)
    return explained(captured)


def explained(captured: CaptureQueriesContext) -> list[dict[str, Any]]:
    """The plans of all that read."""
    rows = [
        ask("EXPLAIN (ANALYZE, FORMAT JSON) " + one["sql"], ())
        for one in captured.captured_queries
        if one["sql"].startswith(("SELECT", "WITH"))
    ]
    return [row[0][0][0]["Plan"] for row in rows]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def faults(query: EightQuery, keys: dict[str, str], large: set[str]) -> list[str]:
    """What is wrong with the plans of a query; nothing where all is well."""
    found = [node for plan in plans(query, keys) for node in nodes(plan)]
    wrong = [
        f"{node['Node Type']} of {node['Relation Name']}"
        for node in found
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in large
    ]
    wrong += [
        f"Sort of {child['Actual Rows']} rows"
        for node in found
        if "Sort" in node["Node Type"]
        for child in node["Plans"]
        if child["Actual Rows"] > SORTED_AT_MOST
    ]
    used = {node.get("Index Name") for node in found}
    if not used & set(query.indexes):
        wrong.append(f"none of {query.indexes} among {used}")
    return wrong


def large_tables() -> set[str]:
    return {
        name
        for name, rows in ask("SELECT relname, reltuples FROM pg_class WHERE relkind = 'r'", ())
        if rows > SMALL
    }


def faults_of_all() -> dict[str, list[str]]:
    large = large_tables()
    assert {"studies_study", "patients_patient", "worklists_readingitem"} < large
    result = {}
    for query in EIGHT:
        drawn = query.keys(ask, random.Random(5), KEYS)
        wrong = [f"{keys}: {fault}" for keys in drawn for fault in faults(query, keys, large)]
        if wrong:
            result[query.name] = wrong
    return result


def faults_of_pages() -> dict[str, list[str]]:
    """What reads a large table whole for a page of the staff.

    Not the calendar: at this size a third of all exams is still to come.
    """
    large = large_tables()
    [(room, patient, report, number)] = ask(
        "SELECT (SELECT min(id) FROM scheduling_room), (SELECT max(id) FROM patients_patient),"
        " (SELECT max(id) FROM reports_report),"
        " (SELECT max(value) FROM patients_patientidentifier)",
        (),
    )
    result = {}
    for path in (
        *(f"/perform/{room}/", f"/reports/{report}/", f"/patients/{patient}/"),
        *("/patients/?q=Smith", f"/patients/?q={number}", "/audit/?q=Smith", "/attention/"),
        *("/palette/?q=Smith", f"/palette/?q={number}"),
    ):
        found = nodes_of_page("all", path)
        if wrong := whole(found, large):
            result[path] = wrong
    return result


def nodes_of_page(username: str, path: str) -> list[dict[str, Any]]:
    """What the plans of a page consist of."""
    client = Client()
    client.force_login(User.objects.get(username=username), settings.AUTHENTICATION_BACKENDS[0])
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200, path
    return [node for plan in explained(captured) for node in nodes(plan)]


def whole(found: list[dict[str, Any]], large: set[str]) -> list[str]:
    """Large tables that are read whole."""
    return [
        f"{node['Node Type']} of {node['Relation Name']}"
        for node in found
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in large
    ]


def referrer_and_exam() -> tuple[User, int]:
    """A referrer with many exams, and one of them that was read."""
    [(key, exam)] = ask(
        "SELECT u.id, max(g.exam_key) FROM accounts_accessgrant g"
        " JOIN accounts_user u ON g.grantee = 'user:' || u.id"
        " JOIN worklists_readingitem i ON i.requested_procedure_id = g.exam_key"
        " GROUP BY 1 ORDER BY count(*) DESC LIMIT 1",
        (),
    )
    return User.objects.get(pk=key), exam


def faults_of_portal() -> dict[str, list[str]]:
    """What reads a large table whole for a referrer; or, for one exam, more than its own grants."""
    large = large_tables()
    user, exam = referrer_and_exam()
    one = f"/portal/{exam}/?q=nobody"
    result = {}
    for path in ("/portal/", "/portal/?show=practice", "/portal/?show=waiting", one):
        if wrong := whole(nodes_of_page(user.username, path), large):
            result[path] = wrong
    with CaptureQueriesContext(connection) as captured:
        result_access(actor_for_user(user), exam)
    if (read := grants_read(captured)) > 20:
        result["result"] = [f"{read} grants"]
    return result


def grants_read(captured: CaptureQueriesContext) -> float:
    """The most grants that a step of these plans found."""
    return max(
        node["Actual Rows"]
        for plan in explained(captured)
        for node in nodes(plan)
        if node.get("Relation Name") == "accounts_accessgrant"
    )


def read_beside(query: EightQuery, keys: dict[str, str]) -> float:
    """Rows of studies that were read for a page, where an index alone chooses what is on it."""
    return max(
        node["Actual Rows"] * node["Actual Loops"]
        for plan in plans(query, keys)
        for node in nodes(plan)
        if node.get("Relation Name") == "studies_study" and node["Node Type"] != "Index Only Scan"
    )


def test_each_query_goes_along_its_index(loaded, settings):
    settings.ISOCENTER_OPEN_AE = True
    assert faults_of_all() == {}
    assert faults_of_pages() == {}
    assert faults_of_portal() == {}
    actor = actor_for_user(referrer_and_exam()[0])
    with CaptureQueriesContext(connection) as captured:
        assert len(newest_exams_granted_to(actor, 5)) == 5
    assert grants_read(captured) <= 10  # of a thousand: each exam may be granted twice
    by_name = EIGHT[1]
    assert read_beside(by_name, {"PatientName": "S*"}) == by_name.limit + 1
    assert read_beside(by_name, {"PatientName": "Smith*"}) <= by_name.limit + 1

    # and this test would tell: without the indexes every one of the eight is found out
    dropped = {index for query in EIGHT for index in query.indexes}
    for index in sorted(dropped):
        ask_nothing(f'DROP INDEX "{index}"')
    try:
        assert faults_of_all().keys() == {query.name for query in EIGHT}
    finally:
        restore(dropped)


def ask_nothing(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def restore(names: set[str]) -> None:
    """Make the dropped indexes anew, as the models say."""
    from django.apps import apps

    with connection.schema_editor() as editor:
        for model in apps.get_models():
            for index in model._meta.indexes:
                if index.name in names:
                    editor.add_index(model, index)
