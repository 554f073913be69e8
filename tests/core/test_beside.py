"""A statement spoken to libpq directly: what it sends and reads, what becomes of its session."""

import psycopg
import pytest
from django.db import connection

from apps.core.beside import run_beside

pytestmark = pytest.mark.django_db(transaction=True)
INSERT = "INSERT INTO beside_test (text) VALUES (%s) RETURNING id, text"


@pytest.fixture
def session():
    parameters = connection.get_connection_params()
    keys = ("dbname", "user", "password", "host", "port")
    named = {key: value for key, value in parameters.items() if key in keys}
    with psycopg.connect(**named, autocommit=True) as opened:
        opened.execute("CREATE TEMP TABLE beside_test (id serial, text text UNIQUE)")
        yield opened


def nothing() -> None:
    """Work that takes no time."""


def prepared(session: psycopg.Connection) -> int:
    [(count,)] = session.execute("SELECT count(*) FROM pg_prepared_statements").fetchall()
    return count


def test_rows_come_as_text_and_the_statement_stays_prepared(session):
    assert run_beside(session, INSERT, ["one"], nothing) == [("1", "one")]
    assert run_beside(session, INSERT, ["two"], nothing) == [("2", "two")]
    assert run_beside(session, "SELECT NULL::int WHERE %s::int = 7 %% 4", [3], nothing) == [(None,)]
    assert prepared(session) == 2


def test_what_the_server_forgot_is_prepared_again_and_done_once(session):
    run_beside(session, INSERT, ["one"], nothing)
    session.execute("DEALLOCATE ALL")
    done: list[int] = []
    assert run_beside(session, INSERT, ["two"], lambda: done.append(1)) == [("2", "two")]
    assert done == [1]
    assert session.execute("SELECT count(*) FROM beside_test").fetchone() == (2,)


def test_nothing_stays_prepared_where_a_pooler_could_not_follow(session):
    session.prepare_threshold = None
    assert run_beside(session, INSERT, ["one"], nothing) == [("1", "one")]
    assert run_beside(session, INSERT, ["two"], nothing) == [("2", "two")]
    assert prepared(session) == 0


def test_after_an_error_the_session_goes_on(session):
    run_beside(session, INSERT, ["one"], nothing)
    with pytest.raises(psycopg.errors.UniqueViolation, match="already exists"):
        run_beside(session, INSERT, ["one"], nothing)
    assert run_beside(session, INSERT, ["two"], nothing) == [("3", "two")]
    assert session.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_fault_of_the_work_ends_the_session_and_writes_nothing(session):
    run_beside(session, INSERT, ["one"], nothing)

    def fail() -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        run_beside(session, INSERT, ["two"], fail)
    assert session.closed


def test_values_larger_than_any_buffer(session):
    large = "ÄÖ" * 4_000_000
    rows = run_beside(session, "SELECT md5(%s::text), %s::text", [large, large], nothing)
    assert rows == session.execute("SELECT md5(%s::text), %s::text", [large, large]).fetchall()


def test_lists_come_as_they_are(session):
    odd = ["", "NULL", 'a "quote"', "back\\slash", "{brace},comma", "%s", "ä"]
    rows = run_beside(session, "SELECT unnest(%s::text[])", [odd], nothing)
    assert [text for (text,) in rows] == odd
