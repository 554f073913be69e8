"""Statements written by hand, for the few paths where building a query costs more than running it.

The ORM stays the rule. What is read here runs many times a second: its SQL is put together from
fixed pieces, values are bound by the server, and a statement may stay prepared on its connection.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg
from django.core.exceptions import FieldError
from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet

from apps.core import beside

Sql = tuple[str, list[Any]]


AMONG = "{} IN ({})"
"""However PostgreSQL likes."""
PROBE = ") IS TRUE"
PROBED = "({} IN ({})" + PROBE
"""The rows are kept in a hash that each candidate is looked up in, where PostgreSQL would otherwise
join them: right for many rows and a page that is soon full."""
LISTED = "{} = ANY(ARRAY({}))"
"""The rows are found first, then each is looked up by an index: right for few."""


class Subquery(NamedTuple):
    """The value of an `in` lookup: rows of one column.

    Attributes:
        statement: of the subquery.
        values: bound to it.
        form: how its rows are used: `AMONG`, `PROBED` or `LISTED`.
    """

    statement: str
    values: Sequence[Any]
    form: str = AMONG


_FORMS = {
    "exact": "{} = %s",
    "gt": "{} > %s",
    "gte": "{} >= %s",
    "lt": "{} < %s",
    "lte": "{} <= %s",
    "in": "{} = ANY(%s)",
    "like": "{} LIKE %s",
    "iregex": "{}::text ~* %s",
    "overlap": "{} && %s::varchar[]",
    "overlap_read": "({} && %s::varchar[]) IS TRUE",  # looked at in the row, never in an index
    "any_like": "EXISTS (SELECT 1 FROM unnest({}) AS one WHERE one LIKE %s)",
}


def fetch(
    statement: str, values: Sequence[Any], *, prepare: bool = False, binary: bool = False
) -> list[tuple]:
    """Run a statement on Django's connection, within its transaction, and return all rows.

    A connection that died unnoticed is opened again, once, outside transactions: so the round trip
    that would ask after its health before each request is saved.

    Args:
        statement: with `%s` for each value.
        values: bound by the server, never put into the text.
        prepare: keep it prepared on the connection. Only where one plan is right for any value,
            such as a look-up by unique key: after five runs PostgreSQL may plan it without
            looking at the values.
        binary: have the values sent in binary form, for rows that hold bytes.

    Raises:
        django.db.DatabaseError: as from any other query.
    """
    if connection.execute_wrappers or connection.queries_logged:  # somebody counts queries
        with connection.cursor() as observed:
            observed.execute(statement, values)
            return list(observed.fetchall())
    connection.validate_no_broken_transaction()
    connection.ensure_connection()
    try:
        return _run(statement, values, prepare, binary)
    except OperationalError:
        if connection.in_atomic_block or not connection.connection.closed:
            raise
        connection.close()  # the server went away since the last request: this one only reads
        connection.ensure_connection()
        return _run(statement, values, prepare, binary)


def write_beside(
    statement: str, values: Sequence[beside.Value], work: Callable[[], None]
) -> list[beside.Row]:
    """Run a statement in a transaction of its own, do `work` meanwhile, commit, return its rows.

    See `beside.run_beside`; this is on Django's connection, outside its transactions.

    Raises:
        django.db.DatabaseError: as from any other query.
        Exception: what `work` raised; nothing is written.
    """
    if connection.execute_wrappers or connection.queries_logged:  # somebody counts queries
        with transaction.atomic(durable=True), connection.cursor() as observed:
            observed.execute(statement, [*values])
            work()
            return [tuple(map(str, row)) for row in observed.fetchall()]
    connection.validate_no_broken_transaction()
    connection.ensure_connection()
    session = connection.connection
    try:
        with connection.wrap_database_errors:
            return beside.run_beside(session, statement, values, work)
    finally:
        if session.closed:
            connection.close()


def _run(statement: str, values: Sequence[Any], prepare: bool, binary: bool) -> list[tuple]:  # noqa: FBT001 - private
    with connection.wrap_database_errors:
        cursor = psycopg.Cursor(connection.connection)
        cursor.execute(statement, values, prepare=prepare, binary=binary)
        return cursor.fetchall()


def where(q: Q, columns: Mapping[str, str], otherwise: Callable[[Q], Sql] | None = None) -> Sql:
    """Turn a filter into SQL over known columns; an empty one is `TRUE`.

    Subqueries among the values are compiled by the ORM.

    Args:
        q: of lookups by equality, order, `in`, `isnull`, `like`, `iregex`, `overlap`, `any_like`.
        columns: from a lookup's path to the column it stands for.
        otherwise: compiles one condition that this function does not know.

    Raises:
        FieldError: such a condition, and nothing that compiles it.
    """
    parts: list[str] = []
    values: list[Any] = []
    for child in q.children:
        if isinstance(child, Q):
            text, inner = where(child, columns, otherwise)
        else:
            known = _condition(child[0], child[1], columns) if isinstance(child, tuple) else None
            text, inner = known or _compiled(child, otherwise)
        parts.append(text)
        values += inner
    if not parts:
        return "TRUE", []
    text = parts[0] if len(parts) == 1 else f"({f' {q.connector} '.join(parts)})"
    return (f"NOT ({text})" if q.negated else text), values


def _compiled(child: Any, otherwise: Callable[[Q], Sql] | None) -> Sql:
    if otherwise is None:
        message = f"{child} is not a condition that can be put into a statement"
        raise FieldError(message)
    return otherwise(Q(child))


def _condition(lookup: str, value: Any, columns: Mapping[str, str]) -> Sql | None:
    path, name = lookup, "exact"
    if path not in columns:
        path, _, name = lookup.rpartition("__")
    column = columns.get(path)
    if column is None:
        return None
    if name == "isnull" or (name == "exact" and value is None):
        return f"{column} IS {'NOT ' if value is False else ''}NULL", []
    if isinstance(value, QuerySet):
        value = Subquery(*value.query.sql_with_params())
    if name == "in" and isinstance(value, Subquery):
        return value.form.format(column, value.statement), [*value.values]
    if name not in _FORMS or isinstance(value, Subquery):
        return None
    bound = list(value) if isinstance(value, (list, tuple, set, frozenset)) else value
    form = _FORMS[name]
    if name == "in" and bound and all(isinstance(one, int) for one in bound):
        form = "{} = ANY(%s::bigint[])"  # of the keys' own type: only then can it be hashed
    return form.format(column), [bound]
