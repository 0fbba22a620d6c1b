"""A page to try queries in (GraphiQL), where the operator wants it: `GRAPHQL_EXPLORER=true`.

All of it lies in this package: nothing is loaded from anywhere else.
"""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

FILES = Path(__file__).parent / "static"


def explorer(path: str) -> list[BaseRoute]:
    """Return the routes of the page and of what it needs."""

    def page(_request: Request) -> FileResponse:
        return FileResponse(FILES / "explorer.html")

    return [Route(path, page, methods=["GET"]), Mount(f"{path}/static", StaticFiles(directory=FILES))]
