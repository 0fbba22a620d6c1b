"""A server on a plain socket that answers as a test says, broken answers included."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Script = Callable[[socket.socket], None]

# Of "localhost" and 127.0.0.1, signed by itself, good for a century.
CERTIFICATE = Path(__file__).parent / "tls" / "certificate.pem"


class Wire:
    """Does with each connection what the next of `scripts` says, the last one again and again.

    `requests` are the whole requests as they came.
    """

    def __init__(self, *scripts: Script, tls: bool = False) -> None:
        self.requests: list[bytes] = []
        self._tls = _tls() if tls else None
        self.url = ""
        self._scripts = list(scripts)
        self._guard = threading.Lock()

    @contextmanager
    def listening(self) -> Iterator[Wire]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            scheme = "https" if self._tls else "http"
            self.url = f"{scheme}://127.0.0.1:{server.getsockname()[1]}"
            threads = [threading.Thread(target=self._accept, args=(server,))]
            threads[0].start()
            try:
                yield self
            finally:
                server.shutdown(socket.SHUT_RDWR)
                threads[0].join()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError), plain, self._encrypted(plain) as connection:
            request = read_request(connection)
            if not request:
                return
            with self._guard:
                self.requests.append(request)
                script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
            script(connection)

    def _encrypted(self, plain: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(plain, server_side=True) if self._tls else plain

    def text(self, number: int = 0) -> str:
        return self.requests[number].decode()

    def line(self, number: int = 0) -> str:
        return self.text(number).partition("\r\n")[0]

    def header(self, name: str, number: int = 0) -> str | None:
        found = re.search(rf"^{name}: (.*?)\r$", self.text(number), re.IGNORECASE | re.MULTILINE)
        return found[1] if found else None

    def body(self, number: int = 0) -> str:
        return self.text(number).partition("\r\n\r\n")[2]

    def json(self, number: int = 0) -> Any:
        return json.loads(self.body(number))


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, CERTIFICATE.with_name("key.pem"))
    return context


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    found = re.search(rb"content-length: (\d+)", data, re.IGNORECASE)
    whole = data.index(b"\r\n\r\n") + 4 + (int(found[1]) if found else 0)
    while len(data) < whole:
        data += connection.recv(65536)
    return data


def response(status: int, body: object = None, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a whole answer; a body that is neither text nor bytes goes as JSON."""
    content = body if isinstance(body, bytes) else b"" if body is None else _encoded(body)
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


def _encoded(body: object) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def answers(status: int, body: object = None, headers: Mapping[str, str] | None = None) -> Script:
    return lambda connection: connection.sendall(response(status, body, headers))


def hangs_up(connection: socket.socket) -> None:
    """Close without an answer."""
    connection.close()


def envelope(*result: object) -> dict[str, object]:
    return {"status": {"success": True, "description": "ok"}, "result": list(result)}


def problem(description: str, fields: object = None, whole: object = None) -> dict[str, object]:
    return {
        "status": {"success": False, "description": description},
        "result": [],
        "fieldErrors": {} if fields is None else fields,
        "validationErrors": [] if whole is None else whole,
    }
