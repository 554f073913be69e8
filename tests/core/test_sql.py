"""Hand-written statements: same answers as the ORM's, same connection, same errors."""

import psycopg
import pytest
from django.core.exceptions import FieldError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Q

from apps.accounts.models import Site
from apps.core import sql
from apps.studies.query import matching  # noqa: F401 - registers LIKE

COLUMNS = {"code": "s.code", "pk": "s.id", "name": "s.name"}


def codes(q: Q) -> set[str]:
    """Return the codes of the sites that a filter finds, by hand."""
    text, values = sql.where(q, COLUMNS)
    found = sql.fetch(f"SELECT s.code FROM accounts_site s WHERE {text}", values)
    return {code for (code,) in found}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "q",
    [
        Q(),
        Q(code="MAIN"),
        Q(code="MAIN") | Q(code="WEST"),
        ~Q(code="MAIN") & Q(name__gte="A"),
        ~(Q(code="MAIN") | Q(code__in=["WEST"])),
        Q(code__in=[]),
        Q(code__in={"WEST", "none"}),
        Q(pk__in=Site.objects.filter(code="WEST").values("pk")),
        Q(code__iregex="^w"),
        Q(code__like="%T"),
        Q(name=None),
        Q(name__isnull=False),
        Q(code__lt="N") & ~Q(),
    ],
)
def test_a_filter_finds_what_the_orm_finds(q):
    for code in ("WEST", "A%T", "NORTH"):
        Site.objects.get_or_create(code=code, defaults={"name": f"Site {code}"})
    assert codes(q) == set(Site.objects.filter(q).values_list("code", flat=True))


def test_what_cannot_be_said_is_refused_or_left_to_another():
    with pytest.raises(FieldError):
        sql.where(Q(code__contains="x"), COLUMNS)
    said = sql.where(Q(code__contains="x") & Q(code="A"), COLUMNS, lambda q: ("FALSE", []))
    assert said == ("(FALSE AND s.code = %s)", ["A"])


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_died_unnoticed_is_opened_again():
    [(pid,)] = sql.fetch("SELECT pg_backend_pid()", [])
    kill(pid)
    [(after,)] = sql.fetch("SELECT pg_backend_pid()", [])
    assert after != pid


@pytest.mark.django_db(transaction=True)
def test_within_a_transaction_it_is_not_opened_again():
    with pytest.raises(DatabaseError), transaction.atomic():
        [(pid,)] = sql.fetch("SELECT pg_backend_pid()", [])
        kill(pid)
        sql.fetch("SELECT 1", [])
    assert sql.fetch("SELECT 1", []) == [(1,)]


@pytest.mark.django_db(transaction=True)
def test_an_error_is_the_orms_and_a_prepared_statement_stays():
    with pytest.raises(DatabaseError):
        sql.fetch("SELECT nothing", [])
    for _ in range(2):
        assert sql.fetch("SELECT code FROM accounts_site WHERE code = %s", ["MAIN"], prepare=True)
    names = sql.fetch("SELECT statement FROM pg_prepared_statements", [])
    assert any("accounts_site" in name for (name,) in names)


def kill(pid: int) -> None:
    """End a server process from another connection."""
    import psycopg

    parameters = connection.get_connection_params()
    keys = ("dbname", "user", "password", "host", "port")
    with psycopg.connect(**{k: v for k, v in parameters.items() if k in keys}) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


INSERT = (
    "INSERT INTO accounts_site "
    "(code, name, timezone, issuer_of_patient_id, issuer_of_accession_number) "
    "VALUES (%s, 'B', '', '', '') RETURNING code"
)


def seen_by_others(code: str) -> bool:
    """Tell whether another session finds the site."""
    dsn = connection.connection.info
    named = {"host": dsn.host, "port": dsn.port, "dbname": dsn.dbname, "user": dsn.user}
    with psycopg.connect(**named) as other:
        found = other.execute("SELECT 1 FROM accounts_site WHERE code = %s", [code])
        return found.fetchone() is not None


@pytest.mark.django_db(transaction=True)
def test_it_commits_when_the_work_beside_is_done():
    during: list[bool] = []
    for code in ("BESIDE1", "BESIDE2"):
        rows = sql.write_beside(INSERT, [code], lambda: during.append(seen_by_others("BESIDE1")))
        assert rows == [(code,)]
    assert during == [False, True]
    assert seen_by_others("BESIDE2")


@pytest.mark.django_db(transaction=True)
def test_nothing_is_written_where_the_work_beside_fails():

    def fail() -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        sql.write_beside(INSERT, ["BESIDE3"], fail)
    with pytest.raises(IntegrityError):
        sql.write_beside(INSERT, ["MAIN"], lambda: None)
    assert not seen_by_others("BESIDE3")
    assert sql.write_beside(INSERT, ["BESIDE3"], lambda: None) == [("BESIDE3",)]
