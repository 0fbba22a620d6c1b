"""Calls to Credly: like any other, but signed in by HTTP Basic."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from worker.adapters.badgr.http import Http

if TYPE_CHECKING:
    from worker.adapters.badgr.http import Request


class BasicHttp(Http):
    """Calls to one service, with the authorization token as user name and no password (X-45)."""

    def _headers(
        self, request: Request, token: str | None
    ) -> tuple[dict[bytes | str, bytes | str], bytes | None]:
        headers, content = super()._headers(request, None)
        if token is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{token}:".encode()).decode()
        return headers, content
