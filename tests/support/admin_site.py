"""The admin page on a database of its own, as a browser without a window sees it."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import anyio
import httpx
from starlette.applications import Starlette

from tests.support.bodies import enrolled, met, updated
from tests.support.ground import Ground, badge
from tests.support.outbox import change, enrol_badge
from worker.bootstrap import Services
from worker.settings import load_settings
from worker.web.admin import mount

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "the-token-of-grace-who-mends-things"
READER = "a-token-that-only-reads"
KEY = "a secret key of thirty-two letters or more"
ATTACK = b'{"id": "<script>alert(1)</script>", "x": "\\" onmouseover=alert(2) \xe2\x80\xae"'
_WORD = re.compile(r'name="word" value="([0-9a-f]{64})"')


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def variables(database_url: str, redis_url: str, **more: str) -> dict[str, str]:
    """Return the settings of a site, as variables."""
    return {
        "BADGE_WORKER_DATABASE_URL": database_url,
        "BADGE_WORKER_EVENTS_URL": redis_url,
        "BADGE_WORKER_BROKER_URL": redis_url,
        "BADGE_WORKER_REDIS_URL": redis_url,
        "BADGE_WORKER_SECRET_KEY": KEY,
        "BADGE_WORKER_API_TOKENS": f"grace:admin:{hashed(TOKEN)},reader:read+publish:{hashed(READER)}",
        **more,
    }


class AdminSite:
    """A browser in front of the admin page, and the ground that it stands on."""

    def __init__(self, ground: Ground, client: httpx.Client) -> None:
        self.ground = ground
        self.client = client

    def sign_in(self, token: str = TOKEN, **headers: str) -> httpx.Response:
        return self.client.post("/admin/sign-in", data={"token": token}, headers=headers)

    def get(self, path: str = "", **query: str) -> str:
        """Return what a page says, for whoever may see it."""
        answer = self.client.get(f"/admin/{path}", params=query or None)
        assert answer.status_code == 200, answer.text
        return answer.text

    def word(self) -> str:
        found = _WORD.search(self.get())
        assert found is not None
        return found[1]

    def post(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form as our own pages do, and follow to the page that it leads to."""
        return self.client.post(f"/admin/{path}", data={"word": self.word(), **fields})


class _InProcess(httpx.BaseTransport):
    """Asks an application without a port."""

    def __init__(self, app: Starlette) -> None:
        self._transport = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return anyio.run(self._ask, request, request.read())

    async def _ask(self, request: httpx.Request, content: bytes) -> httpx.Response:
        asked = httpx.Request(request.method, request.url, headers=request.headers, content=content)
        answer = await self._transport.handle_async_request(asked)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


@contextmanager
def admin_site(ground: Ground, environment: dict[str, str]) -> Iterator[AdminSite]:
    services = Services(load_settings(environment))
    app = Starlette()
    mount(app, services)
    with httpx.Client(
        transport=_InProcess(app), base_url="http://admin.test", follow_redirects=True
    ) as client:
        yield AdminSite(ground, client)
    services.close()


def fill(ground: Ground) -> None:
    """Let there be two badges, three awards of one of them, somebody on the way, and a dead letter.

    Ada's award is due, Bob's failed, Cyn waits for an address.
    """
    networker = badge({"social_connection": {"threshold": 3}}, title="Networker <b>")
    ground.apply(**{"40": enrol_badge("40", title="First steps"), "networker": networker})
    ground.ingest(
        *(updated(1, user, email=f"{user}@example.org") for user in ("ada", "bob")),
        *(enrolled(2 + day * 86400, user, "40") for day, user in enumerate(("ada", "bob", "cyn"))),
        met(3, "ada", "bob"),
        ATTACK,
    )
    change(ground, ["bob"], state="failed", last_error="no such badge class <i>", attempts=3)


def text(page: str) -> str:
    """Return what people read on a page."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


class Elements(HTMLParser):
    """What a browser makes of a page: what it would run, and what it would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.runs: list[str] = []
        self.loads: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag in {"script", "style", "iframe", "object", "embed", "base", "img"}:
            self.runs.append(tag)
        self.runs += [name for name in known if name.startswith("on") or name == "style"]
        self.runs += [value for value in known.values() if value.strip().lower().startswith("javascript:")]
        self.loads |= {known[name] for name in ("src", "srcset", "background", "xlink:href") if name in known}
        if tag == "link":
            self.loads.add(known["href"])
