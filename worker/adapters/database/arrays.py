"""Rows as parameters: whole batches travel as arrays, so that a statement's cost is the batch's, not a row's.

PostgreSQL takes one array a column (``unnest``), SQLite one JSON document (``json_each``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Dialect

from worker.adapters.database.types import as_text

TEXT: Final = "text"
INSTANT: Final = "timestamptz"
INTEGER: Final = "integer"
BIGINT: Final = "bigint"
BOOLEAN: Final = "boolean"


class Rows:
    """A table of parameters called `name`, with typed columns, for use in a FROM clause.

    `Rows("n", user_id=TEXT, at=INSTANT)` is used as ``f"SELECT n.user_id FROM {rows.source(dialect)}"`` with
    the parameters of ``rows.bind(dialect, [(…), …])``.
    """

    def __init__(self, name: str, **columns: str) -> None:
        self.name = name
        self.columns = columns
        self._parameters = [(f"{name}_{column}", kind) for column, kind in columns.items()]

    def source(self, dialect: Dialect) -> str:
        """Return the FROM item."""
        if dialect.name == "sqlite":
            # What is not in a row of its own need not be taken out of it.
            value = "json_extract(value, '$[{}]')" if len(self.columns) > 1 else "value"
            fields = ", ".join(
                f"{value.format(index)} AS {column}" for index, column in enumerate(self.columns)
            )
            return f"(SELECT {fields} FROM json_each(:{self.name})) AS {self.name}"  # our names
        arrays = ", ".join(
            f"CAST(:{self.name}_{column} AS {kind}[])" for column, kind in self.columns.items()
        )
        return f"unnest({arrays}) AS {self.name}({', '.join(self.columns)})"

    def among(self, dialect: Dialect) -> str:
        """Return what says, after a value, that it is among those of the one column that there is."""
        (column, kind) = next(iter(self.columns.items()))
        if dialect.name == "sqlite":
            return f"IN (SELECT {column} FROM {self.source(dialect)})"
        return f"= ANY(CAST(:{self.name}_{column} AS {kind}[]))"

    def bind(self, dialect: Dialect, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """Return the parameters that hold these rows."""
        if dialect.name == "sqlite":
            return {self.name: _document([row[0] for row in rows] if len(self.columns) == 1 else rows)}
        return self.bind_columns(tuple(zip(*rows, strict=True)) if rows else ((),) * len(self.columns))

    def bind_columns(self, columns: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """Return the parameters that hold these columns, for PostgreSQL."""
        return {
            name: _WRITTEN[kind](values)
            for (name, kind), values in zip(self._parameters, columns, strict=True)
        }


# Arrays as PostgreSQL writes them: the driver's own way through Python lists costs more than all the rest.
def _texts(values: Sequence[str | None]) -> str:
    if None not in values:
        whole = '","'.join(values)  # type: ignore[arg-type]  # just looked
        # Nothing to escape but what we put there: by far the most columns, and all of it done at once.
        if "\\" not in whole and whole.count('"') == 2 * (len(values) - 1):
            return f'{{"{whole}"}}' if values else "{}"
    return "{" + ",".join([_quoted(value) if value is not None else "NULL" for value in values]) + "}"


def _quoted(value: str) -> str:
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


def _instants(values: Sequence[datetime | None]) -> str:
    # As JSON has them PostgreSQL reads them too, and a null as well.
    return f"{{{orjson.dumps(values).decode()[1:-1]}}}"


def _plain(values: Sequence[object]) -> str:
    return "{" + ",".join([str(value) if value is not None else "NULL" for value in values]) + "}"


_WRITTEN: dict[str, Callable[[Any], str]] = {
    TEXT: _texts,
    INSTANT: _instants,
    INTEGER: _plain,
    BIGINT: _plain,
    BOOLEAN: _plain,
}


def _document(rows: Sequence[Any]) -> str:
    try:
        return orjson.dumps(rows, default=_for_sqlite, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()
    except orjson.JSONEncodeError:  # half a character, say: it matches nothing, and is no reason to fail
        return json.dumps(rows, default=_for_sqlite)


def _for_sqlite(value: object) -> Any:
    if isinstance(value, datetime):
        return as_text(value)
    if isinstance(value, tuple):  # one with names, such as a Chance
        return tuple(value)
    raise TypeError(f"no parameter for {type(value).__name__}")
