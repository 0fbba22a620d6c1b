"""A door that speaks nothing but TLS, before a server that speaks none."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tests.support.rabbitmq import CERTIFICATE, TLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # what a PostgreSQL client sends first if it wants TLS


def nothing(_client: socket.socket) -> bool:
    """Begin with TLS, as most protocols do."""
    return True


def as_postgres(client: socket.socket) -> bool:
    """Be asked for TLS first; False if it was anything else."""
    if client.recv(len(SSL_REQUEST)) != SSL_REQUEST:
        return False
    client.sendall(b"S")
    return True


@contextmanager
def tls_door(server: tuple[str, int], greet: Callable[[socket.socket], bool] = nothing) -> Iterator[int]:
    """Give the door's port on 127.0.0.1; its certificate is tests' own, for localhost and 127.0.0.1."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE, TLS / "key.pem")

    def let_in(client: socket.socket) -> None:
        with client, suppress(OSError):
            if greet(client):
                _join(context.wrap_socket(client, server_side=True), socket.create_connection(server))

    def keep() -> None:
        with suppress(OSError):  # the door is closed
            while True:
                threading.Thread(target=let_in, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=keep, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _join(inside: socket.socket, outside: socket.socket) -> None:
    """Pass on what either says until one of them leaves."""
    with inside, outside:
        back = threading.Thread(target=_pass_on, args=(outside, inside), daemon=True)
        back.start()
        _pass_on(inside, outside)
        with suppress(OSError):
            outside.shutdown(socket.SHUT_RDWR)
        back.join(10)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while some := source.recv(65536):
            target.sendall(some)
