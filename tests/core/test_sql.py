"""Hand-written statements: same answers as the ORM's, same connection, same errors."""

import pytest
from django.core.exceptions import FieldError
from django.db import DatabaseError, connection, transaction
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
