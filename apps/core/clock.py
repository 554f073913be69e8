"""The one clock. Commands take the time as an argument; edges ask here."""

import datetime


def now() -> datetime.datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.datetime.now(datetime.UTC)  # noqa: TID251 - this is the replacement
