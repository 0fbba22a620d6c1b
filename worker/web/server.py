"""The web application as a server, in the foreground until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

_BACKLOG = 512
_MOST_AT_ONCE = 1000  # requests; more are told 503 at once. Idle connections are a proxy's to bound
_GRACE = 5  # seconds for requests under way when it is told to stop


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it, and says when it listens."""

    def __init__(
        self, app: Starlette, listening: Callable[[], None], stop: threading.Event, tick: Callable[[], None]
    ) -> None:
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="on",
            access_log=False,  # whole URLs, with addresses in them
            log_config=None,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_AT_ONCE,
            timeout_graceful_shutdown=_GRACE,
        )
        super().__init__(config)
        self._listening = listening
        self._stop, self._tick = stop, tick

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that it listens."""
        await super().startup(sockets)
        if self.started:
            self._listening()

    async def on_tick(self, counter: int) -> bool:
        """Say that the loop turns, and look whether to stop; ten times a second."""
        self._tick()
        if self._stop.is_set():
            self.should_exit = True
        return await super().on_tick(counter)


def serve(
    app: Starlette,
    listener: socket.socket,
    stop: threading.Event,
    listening: Callable[[], None] = lambda: None,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Answer requests until `stop` is set. `listening` is called once, and `tick` ten times a second."""
    server = _Server(app, listening, stop, tick)
    asyncio.run(server.serve(sockets=[listener]))


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 means any free one. Raises OSError."""
    # asyncio sends small answers at once (TCP_NODELAY) only where the protocol is named.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the address at which it listens."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
