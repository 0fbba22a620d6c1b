"""Rows as parameters: whole batches travel as arrays, so that a statement's cost is the batch's, not a row's.

PostgreSQL takes one array a column (``unnest``), SQLite one JSON document (``json_each``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Dialect

from worker.adapters.database.types import as_text

TEXT: Final = "text"
INSTANT: Final = "timestamptz"
INTEGER: Final = "integer"
BOOLEAN: Final = "boolean"


class Rows:
    """A table of parameters called `name`, with typed columns, for use in a FROM clause.

    `Rows("n", user_id=TEXT, at=INSTANT)` is used as ``f"SELECT n.user_id FROM {rows.source(dialect)}"`` with
    the parameters of ``rows.bind(dialect, [(…), …])``.
    """

    def __init__(self, name: str, **columns: str) -> None:
        self.name = name
        self.columns = columns

    def source(self, dialect: Dialect) -> str:
        """Return the FROM item."""
        if dialect.name == "sqlite":
            fields = ", ".join(
                f"json_extract(value, '$[{index}]') AS {column}" for index, column in enumerate(self.columns)
            )
            return f"(SELECT {fields} FROM json_each(:{self.name})) AS {self.name}"  # our names
        arrays = ", ".join(
            f"CAST(:{self.name}_{column} AS {kind}[])" for column, kind in self.columns.items()
        )
        return f"unnest({arrays}) AS {self.name}({', '.join(self.columns)})"

    def bind(self, dialect: Dialect, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """Return the parameters that hold these rows."""
        if dialect.name == "sqlite":
            return {self.name: json.dumps(rows, default=_for_sqlite)}
        columns = zip(*rows, strict=True) if rows else ((),) * len(self.columns)
        return {
            f"{self.name}_{column}": list(values)
            for column, values in zip(self.columns, columns, strict=True)
        }


def _for_sqlite(value: object) -> str:
    if isinstance(value, datetime):
        return as_text(value)
    raise TypeError(f"no parameter for {type(value).__name__}")
