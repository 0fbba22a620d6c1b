"""A network backend for httpcore under which a whole call ends by one moment.

httpx and httpcore know a time-out for each operation only: a server that sends one byte now and then keeps a
call alive for ever. The fence around a call (design.md section 3) needs the opposite promise: after its
deadline nothing of it is sent any more, not even by the kernel.
"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpcore

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment, on the monotonic clock, by which a call is over."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that lies so many seconds ahead."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Return the seconds left, 0 or less when there are none."""
        return self.at - time.monotonic()


class DeadlineBackend(httpcore.NetworkBackend):
    """Opens connections on which every operation has only what is left of the call's time."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - httpcore's interface; the deadline decides
        local_address: str | None = None,  # noqa: ARG002 - httpcore's interface
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of `host` that answers in time."""
        error: OSError = TimeoutError()
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as unknown:
            raise httpcore.ConnectError("no address is known for this host") from unknown
        for position, (family, kind, protocol, _, address) in enumerate(addresses):
            share = 1 / (len(addresses) - position)
            try:
                found = self._connect((family, kind, protocol), address, share, socket_options)
            except OSError as failed:
                error = failed
            else:
                return DeadlineStream(found, self._deadline)
        if isinstance(error, TimeoutError):
            raise httpcore.ConnectTimeout("no connection in time") from error
        raise httpcore.ConnectError(error.strerror or "no connection") from error

    def _connect(
        self, kind: tuple[int, int, int], address: Any, share: float, options: Iterable[Any] | None
    ) -> socket.socket:
        """Return a connection to one address, made in its `share` of the time that is left."""
        connection = socket.socket(*kind)
        try:
            connection.settimeout(_seconds(self._deadline) * share)
            connection.connect(address)
            for option in options or ():
                connection.setsockopt(*option)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            connection.close()
            raise
        return connection


class DeadlineStream(httpcore.NetworkStream):
    """A connection that lives until the deadline; what was not over by then is cut off."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._socket = connection
        self._deadline = deadline
        self._wrote = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the deadline decides
        """Return what has arrived."""
        try:
            self._socket.settimeout(_seconds(self._deadline))
            return self._socket.recv(max_bytes)
        except TimeoutError as late:
            self._cut()
            raise httpcore.ReadTimeout("no answer in time") from late
        except OSError as broken:
            raise httpcore.ReadError("the connection broke") from broken

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the deadline decides
        """Send everything; if the time was over before the first byte, the call never left."""
        rest = memoryview(buffer)
        try:
            while rest:
                self._socket.settimeout(_seconds(self._deadline))
                rest = rest[self._socket.send(rest) :]
                self._wrote = True
        except TimeoutError as late:
            self._cut()
            if not self._wrote:
                raise httpcore.ConnectTimeout("no time left to send") from late
            raise httpcore.WriteTimeout("not sent in time") from late
        except OSError as broken:
            raise httpcore.WriteError("the connection broke") from broken

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - httpcore's interface; the deadline decides
    ) -> httpcore.NetworkStream:
        """Return the same connection, encrypted."""
        try:
            self._socket.settimeout(_seconds(self._deadline))
            encrypted = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except TimeoutError as late:
            self.close()
            raise httpcore.ConnectTimeout("no encrypted connection in time") from late
        except OSError as failed:
            self.close()
            raise httpcore.ConnectError("no encrypted connection: " + (failed.strerror or "")) from failed
        return DeadlineStream(encrypted, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore asks of a connection."""
        return {"socket": self._socket}.get(info)

    def _cut(self) -> None:
        # Closed in the ordinary way, the kernel goes on delivering what it still holds, long after the
        # deadline: a call could arrive when everybody believes that it is over. A reset throws it away.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def _seconds(deadline: Deadline) -> float:
    """Return what is left as a time-out; raises TimeoutError when nothing is."""
    left = deadline.left()
    if left <= 0:
        raise TimeoutError
    return left
