"""Guard rails of queries: how many rows an actor gets, and how much work one question may make.

A query with a key that an index serves costs little, whatever the archive's size, and passes
untouched. One without is estimated by PostgreSQL first, and is stopped where it takes too long
all the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction

from apps.core import sql
from apps.core.actors import Actor
from apps.studies.errors import QueryTooBroadError
from apps.studies.query.attributes import (
    ATTRIBUTES,
    MODALITIES_IN_STUDY,
    PATIENT_ID,
    PATIENT_NAME,
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_DATE,
    STUDY_INSTANCE_UID,
    Level,
)
from apps.studies.query.matching import has_wildcard, is_universal

ACCESSION_NUMBER = 0x00080050
_SELECTIVE = frozenset(
    {
        *(PATIENT_ID, ACCESSION_NUMBER),
        *(STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID),
    }
)
_INDEXED = _SELECTIVE | {PATIENT_NAME, STUDY_DATE, MODALITIES_IN_STUDY}
QUERY_CANCELED = "57014"
Check = Callable[[str, Sequence[Any]], None]


def rows_allowed(actor: Actor) -> int:
    """Return how many rows one answer to the actor may have.

    `ISOCENTER_QUERY_ROWS`, or the highest number that `ISOCENTER_QUERY_ROWS_OF` has for one of its
    roles, or for its kind (`ae`).
    """
    named: Mapping[str, int] = settings.ISOCENTER_QUERY_ROWS_OF
    if not named:
        return int(settings.ISOCENTER_QUERY_ROWS)
    own = [named[name] for name in (*actor.roles, str(actor.kind)) if name in named]
    return max(own, default=int(settings.ISOCENTER_QUERY_ROWS))


def served_by_index(level: Level, keys: Mapping[int, str]) -> bool:
    """Tell whether the keys keep the work small; studies without any key are read by date.

    One selective key is enough, unless it begins with a wild card; otherwise every key needs an
    index, for what has none is looked for in each row that the others leave.
    """
    asked = {tag: key for tag, key in keys.items() if tag in ATTRIBUTES and not is_universal(key)}
    if any(tag in _SELECTIVE and not has_wildcard(key[:1]) for tag, key in asked.items()):
        return True
    return level <= Level.STUDY and asked.keys() <= _INDEXED


def check_cost(statement: str, values: Sequence[Any]) -> None:
    """Refuse a statement that PostgreSQL expects to be too dear.

    Raises:
        QueryTooBroadError: dearer than `ISOCENTER_QUERY_COST`, in the planner's units.
    """
    [[[plan]]] = sql.fetch(f"EXPLAIN (FORMAT JSON) {statement}", values)
    cost = plan["Plan"]["Total Cost"]
    if cost > settings.ISOCENTER_QUERY_COST:
        raise QueryTooBroadError(cost=cost)


def _unchecked(statement: str, values: Sequence[Any]) -> None:
    """Let everything pass."""


@contextmanager
def watched(level: Level, keys: Mapping[int, str]) -> Iterator[Check]:
    """Bound the time of what is read inside, where no index serves the query.

    Gives what each statement is to be shown before it runs.

    Raises:
        QueryTooBroadError: the time is up.
    """
    if served_by_index(level, keys):
        yield _unchecked
        return
    milliseconds = int(settings.ISOCENTER_QUERY_SECONDS * 1000)
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {milliseconds:d}")
            yield check_cost
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = DEFAULT")
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != QUERY_CANCELED:
            raise
        raise QueryTooBroadError(seconds=settings.ISOCENTER_QUERY_SECONDS) from error
