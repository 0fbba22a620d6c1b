"""The sandbox as a server: in the foreground until a signal, or in a thread of another program."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from worker.sandbox.app import create_app
from worker.sandbox.gate import CUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

    from worker.sandbox.options import SandboxOptions

_BACKLOG = 512
_GRACE = 5  # seconds for calls under way when the sandbox is stopped


class CuttingProtocol(H11Protocol):
    """HTTP as usual, but the application can cut the connection under a request."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.app = self._with_scissors(self.app)

    def _with_scissors(self, app: ASGI3Application) -> ASGI3Application:
        async def wrapped(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            changed: Any = {**scope, "extensions": {CUT: self.transport.abort}}
            await app(changed, receive, send)

        return wrapped


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, options: SandboxOptions, listening: Callable[[], None]) -> None:
        config = uvicorn.Config(
            create_app(options),
            http=CuttingProtocol,
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=_GRACE,
        )
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listening()


def serve(
    options: SandboxOptions,
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Answer calls until SIGINT (ends with KeyboardInterrupt) or SIGTERM; port 0 means any free one.

    `ready` is called with the sandbox's URL once it listens. Raises OSError when the port is taken
    or the data file cannot be used.
    """
    with _listen(host, port) as listener:
        url = _url(host, listener)
        server = _Server(options, lambda: ready(url) if ready else None)
        asyncio.run(server.serve(sockets=[listener]))


@contextmanager
def running(options: SandboxOptions, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Answer calls from a thread of this process for as long as the block lasts; gives the URL.

    Raises OSError when the port is taken or the data file cannot be used.
    """
    listening = threading.Event()
    with _listen(host, port) as listener:
        server = _Server(options, listening.set)
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=[listener])), name="sandbox", daemon=True
        )
        thread.start()
        listening.wait()
        try:
            yield _url(host, listener)
        finally:
            server.should_exit = True
            thread.join()


def _listen(host: str, port: int) -> socket.socket:
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


def _url(host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"
