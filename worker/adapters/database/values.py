"""Many rows in few statements on SQLite: as `VALUES (?, ?), (?, ?), …`.

A statement a row would cost its own overhead each time, and take Python's lock from the thread that reads
meanwhile; one JSON document of all rows is parsed for each of its columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, CursorResult

# So many rows go into one statement. A few sizes, and not just as many as there are: then all of the
# statements are compiled once, and kept by the driver.
_SIZES = (256, 64, 16, 4, 1)


def execute_values(
    connection: Connection, sql: str, columns: Sequence[Sequence[Any]]
) -> Iterator[CursorResult[*tuple[Any, ...]]]:
    """Execute `sql`, in which `{values}` stands for rows, for all rows of these columns; yield the results.

    Nothing is executed that is not asked for.
    """
    width = len(columns)
    values: list[Any] = [None] * (width * len(columns[0])) if columns else []
    for place, column in enumerate(columns):
        values[place::width] = column
    begins = 0
    for size in _SIZES:
        while begins + size * width <= len(values):
            ends = begins + size * width
            yield connection.exec_driver_sql(_with_places(sql, size, width), tuple(values[begins:ends]))
            begins = ends


@lru_cache(maxsize=512)
def _with_places(sql: str, rows: int, width: int) -> str:
    row = f"({', '.join('?' * width)})"
    return sql.replace("{values}", f"VALUES {', '.join([row] * rows)}")
