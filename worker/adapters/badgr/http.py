"""One HTTP call to the provider: one connection, one deadline, no redirects, no second try."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from worker import __version__
from worker.adapters.badgr.deadline import Deadline, DeadlineBackend
from worker.errors import BadgeWorkerError, ConfigurationError, NoAnswer, Unreachable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

# What a list call of 50 addresses answers is some 100 KB; nobody sends so much more for a good reason.
_MOST_BYTES = 32 * 1024 * 1024

# A shorter one is a word like any other, and nothing is given away by it.
_SHORTEST_SECRET, _BLOT = 4, b"<secret>"

# What fails before the first byte of the request is on its way, beside the errors of our own backend. Their
# text is not ours and may hold a header.
_NEVER_LEFT = (
    httpcore.ProxyError,
    httpcore.PoolTimeout,
    httpcore.UnsupportedProtocol,
    httpcore.LocalProtocolError,
)


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask: `query` pairs are encoded, so that a ``+`` in an address stays one; one body or none."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = field(default=(), repr=False)
    json: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)

    def target(self) -> str:
        """Return path and query as they go on the wire."""
        return self.path + ("?" + urlencode(self.query, quote_via=quote, safe="") if self.query else "")

    def body(self) -> tuple[str, bytes] | None:
        """Return content type and bytes of the body."""
        if self.form is not None:
            return "application/x-www-form-urlencoded", urlencode(self.form).encode()
        if self.json is not None:
            return "application/json", json.dumps(self.json).encode()
        return None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Return the body as JSON whatever its content type says, or None if it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):  # nobody nests a thousand deep for a good reason
            return None

    def without(self, *secrets: str | None) -> Answer:
        """Return it with our own secrets blotted out: what a service says of a failure is kept and logged."""
        body = self.body
        for secret in secrets:
            if secret and len(secret) >= _SHORTEST_SECRET:
                body = body.replace(secret.encode(), _BLOT).replace(json.dumps(secret)[1:-1].encode(), _BLOT)
        return replace(self, body=body)


class Http:
    """Calls to one service at `base_url`. Proxies are taken from the environment, as everybody does.

    No connection is kept for the next call: one that the server has closed meanwhile would make it
    uncertain whether that call arrived.
    """

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError("an issuer's url starts with https:// and names a host")
        self._base = base_url.rstrip("/")
        self._scheme, self._host = parts.scheme, parts.hostname

    def __repr__(self) -> str:
        return f"Http({self._scheme}://{self._host})"

    def send(self, request: Request, deadline: Deadline, token: str | None = None) -> Answer:
        """Make the call; raises Unreachable if it never left and NoAnswer if it may have arrived.

        What went wrong is told without the library's own error: its text may hold addresses.
        """
        failure: BadgeWorkerError
        try:
            return self._send(request, deadline, token)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            failure = Unreachable(f"{self._host}: {error}")
        except _NEVER_LEFT as error:
            failure = Unreachable(f"{self._host}: {type(error).__name__}")
        except (httpcore.TimeoutException, httpcore.NetworkError) as error:
            failure = NoAnswer(f"{self._host}: {error}")
        except httpcore.ProtocolError:
            failure = NoAnswer(f"{self._host}: the answer was cut off, or is not HTTP")
        raise failure

    def _send(self, request: Request, deadline: Deadline, token: str | None) -> Answer:
        headers, content = self._headers(request, token)
        with (
            self._pool(deadline) as pool,
            pool.stream(
                request.method, self._base + request.target(), headers=headers, content=content
            ) as response,
        ):
            body = bytearray()
            for part in response.iter_stream():
                body += part
                if len(body) > _MOST_BYTES:
                    raise httpcore.ReadError("the answer has no end")
            found = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
            }
            return Answer(response.status, found, bytes(body))

    def _headers(
        self, request: Request, token: str | None
    ) -> tuple[dict[bytes | str, bytes | str], bytes | None]:
        headers: dict[bytes | str, bytes | str] = {
            # Without it the provider answers application/ld+json (facts/badgr-api.md section 1, point 10).
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # without it a proxy may answer in any encoding that it likes
            "User-Agent": f"badge-worker/{__version__}",
            "Connection": "close",
        }
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        body = request.body()
        if body is None:
            if request.method not in {"GET", "DELETE"}:
                headers["Content-Length"] = "0"  # some proxies refuse such a call without it
            return headers, None
        headers["Content-Type"] = body[0]
        return headers, body[1]

    def _pool(self, deadline: Deadline) -> httpcore.ConnectionPool:
        backend = DeadlineBackend(deadline)
        tls = self._tls if self._scheme == "https" else None
        proxy = None if proxy_bypass(self._host) else getproxies().get(self._scheme)
        if proxy is None:
            return httpcore.ConnectionPool(ssl_context=tls, network_backend=backend)
        return httpcore.HTTPProxy(**_proxy(proxy), ssl_context=tls, network_backend=backend)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()


def _proxy(url: str) -> dict[str, Any]:
    """Return httpcore's arguments for a proxy of which user and password may stand in the URL."""
    proxy = httpx.Proxy(url)
    return {"proxy_url": str(proxy.url), "proxy_auth": proxy.raw_auth, "proxy_headers": proxy.headers.raw}
