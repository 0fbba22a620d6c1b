"""A port that leads to a server once a test lets it: a server that comes up late, or goes away."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self

from tests.support.ports import free_port


class Forwarder:
    """Refuses connections at `port` until it is opened; then passes them on to 127.0.0.1:`target`."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._sockets: list[socket.socket] = []

    def open(self) -> None:
        """Let connections through from now on."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self._sockets.append(listener)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def lead_to(self, target: int) -> None:
        """Pass new connections on to another port; those that there are stay."""
        self._target = target

    def close(self) -> None:
        """Cut all connections."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._sockets.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
