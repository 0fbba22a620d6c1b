"""The web application as tests reach it: served by a thread of this process, with tokens of each kind."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from worker.bootstrap import Services
from worker.settings import Settings
from worker.web.application import application
from worker.web.server import listen, serve, url_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLISH, READ, ADMIN = "publishes-events", "reads-badges", "looks-after-it"
SECRET = "what-opigno-and-we-share"
_LISTED = [("lms", "publish", PUBLISH), ("portal", "read", READ), ("somebody", "admin", ADMIN)]
TOKENS = ",".join(
    f"{name}:{role}:{hashlib.sha256(token.encode()).hexdigest()}" for name, role, token in _LISTED
)


def settings(database_url: str, redis_url: str, **others: Any) -> Settings:
    """Return settings under which everything is open."""
    given = {
        "database_url": database_url,
        "events_url": f"{redis_url}?stream=badge-events",
        "broker_url": redis_url,
        "redis_url": redis_url,
        "secret_key": "k" * 32,
        "api_tokens": TOKENS,
        "opigno_webhook_secret": SECRET,
    }
    return Settings.model_validate(given | others)


@contextmanager
def site(given: Settings) -> Iterator[httpx.Client]:
    """Give a client of the application, which runs for as long as the block lasts."""
    stop, listening = threading.Event(), threading.Event()
    services, listener = Services(given), listen("127.0.0.1", 0)
    app = application(services)
    thread = threading.Thread(target=serve, args=[app, listener, stop, listening.set])
    thread.start()
    try:
        assert listening.wait(30)
        with httpx.Client(base_url=url_of(listener), timeout=60) as client:
            yield client
    finally:
        stop.set()
        thread.join()
        listener.close()
        services.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
