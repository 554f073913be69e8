"""The database role the product runs as: it reads and writes rows and may do nothing else.

`migrate` makes it and gives it its rights; every other process takes it on when it connects
(`pacs_site.home`). Tables can then be altered or truncated by no fault of a running process.
"""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import ProgrammingError, connections
from django.db.backends.utils import CursorWrapper

ROLE = "isocenter_app"
_SET_OPTION = 160000  # server_version_num from which membership has to allow SET ROLE


def grant_role(*, using: str, **kwargs: Any) -> None:
    """Make the role where it is missing and grant it what it may do; a `post_migrate` receiver.

    Raises:
        CommandError: the user of the migrations may not; it says what an administrator has to run.
    """
    if "plan" not in kwargs:
        return  # `flush` sends this signal too, after every transactional test
    user = settings.ISOCENTER_DATABASE_USER
    with connections[using].cursor() as cursor:
        try:
            _make(cursor, user)
        except ProgrammingError as error:
            message = (
                f"The role {ROLE} is missing and this database user may not make it ({error}). "
                "As an administrator of the database server, run:\n"
                f"  CREATE ROLE {ROLE} NOLOGIN;\n"
                f'  GRANT {ROLE} TO "{user}";\n'
                "and migrate again."
            )
            raise CommandError(message) from error
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {ROLE}")
        cursor.execute(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}"
        )
        cursor.execute(f"GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")


def _make(cursor: CursorWrapper, user: str) -> None:
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE])
    if cursor.fetchone() is None:
        cursor.execute(f"CREATE ROLE {ROLE} NOLOGIN")
    cursor.execute("SELECT current_setting('server_version_num')::int, quote_ident(%s)", [user])
    version, name = cursor.fetchone()
    right = "SET" if version >= _SET_OPTION else "MEMBER"
    cursor.execute("SELECT pg_has_role(%s, %s, %s)", [user, ROLE, right])
    if not cursor.fetchone()[0]:
        option = " WITH SET TRUE" if version >= _SET_OPTION else ""
        cursor.execute(f"GRANT {ROLE} TO {name}{option}")
