"""`/metrics` and `/healthz` on a port of their own, for processes that serve nothing else."""

from __future__ import annotations

import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from worker import __version__, measuring
from worker.adapters.metrics.exposition import Exposition, answer
from worker.errors import ConfigurationError
from worker.heartbeat import LONGEST_SILENCE

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

_PATIENCE = 10.0  # seconds for one request to arrive: a client that says nothing must not stay for ever


class MetricsServer:
    """Serves one process's metrics, those of `state` among them, until it is closed.

    It listens on every address of the machine, as exporters do: there are numbers, badges and issuers there,
    nobody's data. Raises ConfigurationError if the port cannot be had.
    """

    def __init__(self, port: int, state: Collector | None = None) -> None:
        try:
            self._server = _Server(("", port), _Handler)
        except OSError as error:
            raise ConfigurationError(
                f"BADGE_WORKER_METRICS_PORT: cannot listen on {port}: {error.strerror or error}"
            ) from None
        self._server.state = state
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def leave_to_parent(self) -> None:
        """In a forked child: let go of the port, or it would be taken for as long as the child lives."""
        self._server.socket.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    state: Collector | None = None

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = f"badge-worker/{__version__}"
    sys_version = ""
    timeout = _PATIENCE

    def do_GET(self) -> None:  # the name that http.server looks for
        """Answer a scrape or a health check."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._say(HTTPStatus.OK, answer(self.server.state, self.headers.get("Accept", "")))
        elif path == "/healthz":
            self._say(*health())
        else:
            self._say(HTTPStatus.NOT_FOUND, _plain("try /metrics or /healthz"))

    def _say(self, status: HTTPStatus, what: Exposition) -> None:
        self.send_response(status)
        self.send_header("Content-Type", what.content_type)
        self.send_header("Content-Length", str(len(what.body)))
        self.end_headers()
        self.wfile.write(what.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # http.server's name
        """Say nothing: a line for every scrape would be most of the log."""


def health() -> tuple[HTTPStatus, Exposition]:
    """Return whether this process makes progress, by what it says of itself."""
    silence = measuring.silence()
    if silence is not None and silence > LONGEST_SILENCE:
        return HTTPStatus.SERVICE_UNAVAILABLE, _plain(f"nothing went on for {silence:.0f} s")
    return HTTPStatus.OK, _plain("ok")


def _plain(text: str) -> Exposition:
    return Exposition("text/plain; charset=utf-8", f"{text}\n".encode())
