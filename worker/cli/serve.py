# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker serve`: the web application, until it is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
import typer

from worker.cli.opening import check_broker_url, open_services, serving_metrics
from worker.cli.stopping import stopping
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    import socket

    from worker.settings import Settings

log = structlog.get_logger(__name__)

_GRACE = 9.5  # seconds to finish the requests in hand; container runtimes kill after ten


def serve() -> None:
    """Run the web application: event intake, webhooks, GraphQL, health, metrics and the admin page.

    Prints its URL once it listens (BADGE_WORKER_WEB_HOST and _WEB_PORT). Without BADGE_WORKER_API_TOKENS or
    the BADGE_WORKER_API_J... variables nobody is let in. SIGTERM and Ctrl-C finish the requests in hand.
    """
    from worker import measuring
    from worker.heartbeat import beating
    from worker.web.access import Access
    from worker.web.application import application
    from worker.web.server import serve as answer
    from worker.web.server import url_of

    here = open_services(quiet=False)
    if here.settings.key is None:
        raise ConfigurationError("BADGE_WORKER_SECRET_KEY: missing; make one with: openssl rand -hex 32")
    check_broker_url(here)  # or the first revocation would find out
    app = application(here)
    if not Access(here.settings).is_open:
        log.warning("web.closed", why="neither BADGE_WORKER_API_TOKENS nor BADGE_WORKER_API_JWKS_URL is set")
    with (
        serving_metrics(here, state=here.state),
        beating("web"),
        stopping(_GRACE) as stop,
        _listener(here.settings) as listener,
    ):
        url = url_of(listener)
        answer(app, listener, stop, listening=lambda: _say(url), tick=measuring.went_on)
    log.info("web.ended")
    raise typer.Exit(stop.exit_code)


def _say(url: str) -> None:
    print(url, flush=True)
    log.info("web.started", url=url)


def _listener(settings: Settings) -> socket.socket:
    from worker.web.server import listen

    try:
        return listen(settings.web_host, settings.web_port)
    except OSError as error:
        raise ConfigurationError(
            f"BADGE_WORKER_WEB_HOST and BADGE_WORKER_WEB_PORT: cannot listen on {settings.web_host}:"
            f"{settings.web_port}: {error.strerror or error}"
        ) from None
