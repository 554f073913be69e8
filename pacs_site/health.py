"""`/readyz`: whether this machine may be sent work, and if not, why.

`/livez` is answered by `pacs_site.asgi` in the event loop: the process runs, nothing more.
"""

import functools
from collections.abc import Callable

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.archive.storage.registry import write_storage
from pacs_site.celery import app as celery

# A success that is told may be lost in a crash while one of these is off (PostgreSQL 18, 29.1)
DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")


def check_database() -> str:
    """Return what is wrong with the database, or an empty text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM pg_settings WHERE name = ANY(%s) AND setting IN ('off', 'false')",
            [list(DURABILITY)],
        )
        off = sorted(name for (name,) in cursor.fetchall())
    if off:
        return f"PostgreSQL runs with {' and '.join(off)} off: what is acknowledged may be lost"
    return ""


def check_migrations() -> str:
    """Return which migrations are missing, or an empty text."""
    applied = MigrationRecorder(connection).applied_migrations()
    missing = sorted(f"{app}.{name}" for app, name in _leaves() if (app, name) not in applied)
    return f"not migrated: {', '.join(missing)}; run manage.py migrate" if missing else ""


@functools.cache
def _leaves() -> tuple[tuple[str, str], ...]:
    """Return the last migration of every app, as the code on disk has it."""
    return tuple(MigrationLoader(None).graph.leaf_nodes())


def check_broker() -> str:
    """Return an empty text where the broker answers."""
    with celery.connection_for_read(connect_timeout=2) as broker:
        broker.ensure_connection(max_retries=1, timeout=2)
    return ""


def check_archive() -> str:
    """Return an empty text where a file can be written to the archive and read back."""
    write_storage().probe()
    return ""


CHECKS: dict[str, Callable[[], str]] = {
    "database": check_database,
    "migrations": check_migrations,
    "broker": check_broker,
    "archive": check_archive,
}


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 with every check "ok", or 503 with what is wrong."""
    results = {name: _run(check) for name, check in CHECKS.items()}
    ready = all(result == "ok" for result in results.values())
    return JsonResponse({"ready": ready, "checks": results}, status=200 if ready else 503)


def _run(check: Callable[[], str]) -> str:
    try:
        return check() or "ok"
    except Exception as error:
        return f"{type(error).__name__}: {error}".strip()
