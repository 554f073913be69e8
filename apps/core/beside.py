"""A statement that works while we do something else, and commits when that is done.

Spoken in libpq's own calls: through psycopg's pipeline the same costs three times the interpreter's
time, which the archive's ingest pays for every image.

Source: PostgreSQL, libpq "Pipeline Mode" and "Extended Query" (a transaction without BEGIN lasts to
the next Sync).
"""

import datetime
import re
import select
from collections.abc import Callable, Sequence
from functools import cache
from weakref import WeakKeyDictionary

import psycopg
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

Value = str | int | float | datetime.datetime | list[str]
Row = tuple[str | None, ...]

UNNAMED = b""
"""Forgotten with the next: where a pooler stands between and knows no prepared statements."""

_prepared: "WeakKeyDictionary[psycopg.Connection, dict[str, bytes]]" = WeakKeyDictionary()


def run_beside(
    session: psycopg.Connection,
    statement: str,
    values: Sequence[Value],
    work: Callable[[], None],
) -> list[Row]:
    """Run a statement in a transaction of its own, do `work` meanwhile, commit, return its rows.

    The server begins with the statement at once, and learns that it may commit when `work` is done.
    The statement stays prepared on the session, if that may prepare any. It must be in autocommit,
    and in no pipeline.

    Args:
        session: closed where `work` fails: that is what undoes the statement.
        statement: with `%s` for each value, and a cast where the value's place does not tell its
            type.
        values: sent as text.
        work: done once.

    Returns:
        The rows, their values as PostgreSQL writes them.

    Raises:
        psycopg.Error: from the statement; nothing is written.
        Exception: what `work` raised; nothing is written.
    """
    parameters = [_text(value) for value in values]
    try:
        return _run(session, statement, parameters, work)
    except InvalidSqlStatementName:  # psycopg has had the server forget what is prepared
        _prepared.pop(session, None)
        return _run(session, statement, parameters, lambda: None)


def _run(
    session: psycopg.Connection,
    statement: str,
    parameters: Sequence[bytes],
    work: Callable[[], None],
) -> list[Row]:
    names = _prepared.setdefault(session, {})
    name = names.get(statement)
    connection = session.pgconn
    try:
        connection.enter_pipeline_mode()
        if name is None:
            name = b"beside_%d" % len(names) if session.prepare_threshold is not None else UNNAMED
            connection.send_prepare(name, _numbered(statement))
        connection.send_query_prepared(name, parameters)
        _flush(connection)
        work()
        connection.pipeline_sync()
        _flush(connection)
        results = _results(connection)
        connection.exit_pipeline_mode()
    except BaseException:
        session.close()
        raise
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result)
        if name is not UNNAMED:
            names[statement] = name  # prepared, whatever becomes of the transaction
    return _rows(results[-1])


def _flush(connection: PGconn) -> None:
    """Send what is buffered."""
    while connection.flush():
        _wait(connection, select.POLLIN | select.POLLOUT)
        connection.consume_input()


def _results(connection: PGconn) -> list[PGresult]:
    """Return the results up to the answer to our Sync."""
    results: list[PGresult] = []
    while True:
        while not connection.is_busy():
            result = connection.get_result()
            if result is None:
                continue  # between two statements
            if result.status == ExecStatus.PIPELINE_SYNC:
                return results
            results.append(result)
        _wait(connection, select.POLLIN)
        connection.consume_input()


def _wait(connection: PGconn, events: int) -> None:
    poll = select.poll()
    poll.register(connection.socket, events)
    poll.poll()


def _rows(result: PGresult) -> list[Row]:
    values = range(result.nfields)
    return [tuple(_value(result, row, at) for at in values) for row in range(result.ntuples)]


def _value(result: PGresult, row: int, at: int) -> str | None:
    value = result.get_value(row, at)
    return None if value is None else value.decode()


@cache
def _numbered(statement: str) -> bytes:
    """Return a statement with `$1`, `$2` where it has `%s`."""
    pieces = re.split("%s", statement.replace("%%", "\0"))
    numbered = "".join(
        piece if not number else f"${number}{piece}" for number, piece in enumerate(pieces)
    )
    return numbered.replace("\0", "%").encode()


def _text(value: Value) -> bytes:
    """Return a value as PostgreSQL reads it."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, datetime.datetime):
        return value.isoformat().encode()
    if isinstance(value, int | float):
        return str(value).encode()
    quoted = [re.sub(r'(["\\])', r"\\\1", one) for one in value]
    return ("{" + ",".join(f'"{one}"' for one in quoted) + "}").encode()
