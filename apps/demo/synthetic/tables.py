"""Rows of one table in PostgreSQL's COPY text format."""

import json
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import Field, JSONField, Model

NULL = r"\N"


def escaped(text: str) -> str:
    """Return free text with the characters escaped that COPY gives a meaning."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


class Table:
    """Collects lines for one model's table and copies them.

    The caller names the fields it gives and their values as text that needs no escaping (`NULL`,
    `escaped()`); every other column gets the default of its field, so that a new field needs no
    change here.
    """

    def __init__(self, model: type[Model], *fields: str) -> None:
        """Take the names of the fields whose values `add` is given, in that order."""
        self.model = model
        given = [model._meta.get_field(name) for name in fields]  # noqa: SLF001 - Django's public API
        others = [
            f
            for f in model._meta.concrete_fields  # noqa: SLF001
            if f not in given and not f.primary_key  # PostgreSQL numbers those itself
        ]
        self.columns = [f.column for f in (*given, *others)]  # type: ignore[union-attr]
        self.rest = "".join(f"\t{_default(f)}" for f in others)
        self.lines: list[str] = []

    def add(self, *values: object) -> None:
        """Add a row."""
        self.lines.append("\t".join(map(str, values)) + self.rest)

    def keys(self, count: int) -> list[int]:
        """Take primary keys from the table's sequence."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
                [self.model._meta.db_table, count],  # noqa: SLF001
            )
            return [int(key) for (key,) in cursor.fetchall()]

    def copy(self) -> int:
        """Write the rows, inside the caller's transaction, and forget them; return how many."""
        names = ", ".join(f'"{column}"' for column in self.columns)
        statement = f'COPY "{self.model._meta.db_table}" ({names}) FROM STDIN'  # noqa: SLF001
        count = len(self.lines)
        if count:
            with connection.cursor() as cursor, cursor.copy(statement) as out:
                out.write("\n".join(self.lines) + "\n")
        self.lines.clear()
        return count


def _default(field: "Field[Any, Any]") -> str:
    value = field.get_default()
    if isinstance(field, ArrayField):
        return "{}"
    if isinstance(field, JSONField):
        return json.dumps(value)
    if value is None:
        return NULL
    return "t" if value is True else "f" if value is False else escaped(str(value))
