"""One HTTP call: what goes out, when it ends, and what every kind of failure is called."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.unit.adapters.wire import CERTIFICATE, Wire, answers, hangs_up, response
from worker import __version__
from worker.adapters.badgr.deadline import Deadline, DeadlineStream
from worker.adapters.badgr.http import Http, Request
from worker.errors import ConfigurationError, NoAnswer, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

GET = Request("GET", "/v2/things")
SHORT = 1.0  # seconds: long enough to connect on a busy machine, short enough to wait for
LONG = 30.0


def send(wire: Wire, request: Request = GET, seconds: float = LONG) -> tuple[int, bytes]:
    answer = Http(wire.url).send(request, Deadline.after(seconds), "a-token")
    return answer.status, answer.body


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_an_answer_is_returned_whatever_its_status() -> None:
    with Wire(answers(200, "fine"), answers(418, "no")).listening() as wire:
        first, second = send(wire), send(wire)

    assert (first, second) == ((200, b"fine"), (418, b"no"))


def test_a_request_says_who_calls_and_that_it_wants_json() -> None:
    with Wire(answers(200)).listening() as wire:
        send(wire)

    assert wire.header("accept") == "application/json"
    assert wire.header("accept-encoding") == "identity"
    assert wire.header("user-agent") == f"badge-worker/{__version__}"
    assert wire.header("authorization") == "Bearer a-token"
    assert wire.header("connection") == "close"


def test_a_query_keeps_its_plus_signs_and_its_order() -> None:
    query = [
        ("recipient", "ann+tag@example.org"),
        ("recipient", "o'neil&co@example.org"),
        ("include_expired", "1"),
    ]

    with Wire(answers(200)).listening() as wire:
        send(wire, Request("GET", "/v2/a", query=query))

    both = "recipient=ann%2Btag%40example.org&recipient=o%27neil%26co%40example.org"
    assert wire.line() == f"GET /v2/a?{both}&include_expired=1 HTTP/1.1"


def test_a_body_goes_as_json_or_as_a_form() -> None:
    with Wire(answers(200)).listening() as wire:
        send(wire, Request("POST", "/a", json={"a": "é"}))
        send(wire, Request("POST", "/a", form={"password": "a b&c"}))

    assert wire.json(0) == {"a": "é"}
    assert wire.header("content-type", 0) == "application/json"
    assert wire.body(1) == "password=a+b%26c"
    assert wire.header("content-type", 1) == "application/x-www-form-urlencoded"


def test_the_path_of_the_base_url_is_kept() -> None:
    with Wire(answers(200)).listening() as wire:
        Http(wire.url + "/badgr/").send(GET, Deadline.after(LONG))

    assert wire.line() == "GET /badgr/v2/things HTTP/1.1"


def test_a_connection_is_not_used_again() -> None:
    peers: list[object] = []

    def note(connection: socket.socket) -> None:
        peers.append(connection.getpeername())
        connection.sendall(response(200))

    with Wire(note).listening() as wire:
        http = Http(wire.url)
        http.send(GET, Deadline.after(LONG))
        http.send(GET, Deadline.after(LONG))

    assert len(set(peers)) == 2


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with Wire(answers(302, headers={"Location": "/maintenance"})).listening() as wire:
        status, _ = send(wire, Request("POST", "/a", json={}))

    assert status == 302
    assert len(wire.requests) == 1


def test_a_refused_connection_never_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

    with pytest.raises(Unreachable, match=r"127\.0\.0\.1: Connection refused"):
        Http(url).send(GET, Deadline.after(LONG))


def test_an_unknown_host_was_never_called(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(Unreachable, match="no address"):
        Http("https://badgr.invalid").send(GET, Deadline.after(LONG))


def test_the_second_address_of_a_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with Wire(answers(200)).listening() as wire:
        port = int(wire.url.rpartition(":")[2])
        stream = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
        both = [(*stream, ("127.0.0.2", 1)), (*stream, ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)

        answer = Http("http://badgr.test").send(GET, Deadline.after(LONG))

    assert answer.status == 200


def test_a_connection_that_is_not_taken_in_time_never_left() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.settimeout(0)
            each.connect_ex(address)

        with pytest.raises(Unreachable, match="no connection in time"):
            Http(f"http://127.0.0.1:{address[1]}").send(GET, Deadline.after(SHORT))

        for each in waiting:
            each.close()


def test_nothing_is_sent_when_the_time_is_over() -> None:
    with Wire(answers(200)).listening() as wire:
        with pytest.raises(Unreachable):
            Http(wire.url).send(GET, Deadline.after(-1))

        assert send(wire) == (200, b"")

    assert len(wire.requests) == 1


def test_a_time_that_ends_between_connecting_and_sending_means_it_never_left() -> None:
    near, far = socket.socketpair()
    with far:
        stream = DeadlineStream(near, Deadline.after(-1))

        with pytest.raises(Exception, match="no time left to send"):
            stream.write(b"POST")

        assert far.recv(1) == b""


def hangs(seconds: float) -> Callable[[socket.socket], None]:
    def hang(connection: socket.socket) -> None:
        connection.settimeout(seconds)
        with suppress(TimeoutError):
            connection.recv(1)
        connection.sendall(response(200))

    return hang


def drips(connection: socket.socket) -> None:
    """Send a byte of a good answer now and then: never a pause long enough for an ordinary time-out."""
    for letter in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + b"X-Slow: yes\r\n" * 20 + b"\r\n":
        connection.sendall(bytes([letter]))
        time.sleep(0.02)


def drips_its_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 300\r\n\r\n")
    for _ in range(300):
        connection.sendall(b"x")
        time.sleep(0.02)


def cut_in_the_head(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 201 Cre")


def cut_in_the_body(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n{"status"')


def not_http(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example.org ESMTP ann@example.org\r\n\r\n")


@pytest.mark.parametrize(
    "script",
    [hangs(5), drips, drips_its_body],
    ids=["no-answer", "dripping-head", "dripping-body"],
)
def test_a_call_ends_with_its_deadline(script: Callable[[socket.socket], None]) -> None:
    with Wire(script).listening() as wire, pytest.raises(NoAnswer, match="no answer in time"):
        send(wire, seconds=SHORT)  # each would come to a good end, some seconds later


@pytest.mark.parametrize("script", [hangs_up, cut_in_the_head, cut_in_the_body, not_http])
def test_a_broken_answer_leaves_it_open_what_happened(script: Callable[[socket.socket], None]) -> None:
    with Wire(script).listening() as wire, pytest.raises(NoAnswer) as caught:
        send(wire)

    assert "example.org" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_server_that_does_not_read_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []
        thread = threading.Thread(target=lambda: taken.append(server.accept()[0]))
        thread.start()

        with pytest.raises(NoAnswer, match="not sent in time"):
            Http(f"http://127.0.0.1:{server.getsockname()[1]}").send(
                Request("POST", "/a", json="x" * 20_000_000), Deadline.after(2 * SHORT)
            )

        thread.join()
        taken[0].close()


def test_a_call_that_is_over_is_not_delivered_by_the_kernel_afterwards() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with pytest.raises(NoAnswer):
            Http(f"http://127.0.0.1:{server.getsockname()[1]}").send(GET, Deadline.after(SHORT))

        connection, _ = server.accept()
        with connection:
            assert connection.recv(65536).startswith(b"GET")  # it had arrived in time
            with pytest.raises(ConnectionResetError):
                connection.recv(65536)


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.adapters.badgr.http._MOST_BYTES", 1000)

    with Wire(answers(200, "x" * 1001)).listening() as wire, pytest.raises(NoAnswer, match="no end"):
        send(wire)


def test_a_header_that_cannot_be_sent_is_not_told() -> None:
    with Wire(answers(200)).listening() as wire, pytest.raises(Unreachable) as caught:
        Http(wire.url).send(GET, Deadline.after(LONG), "a-secret\nin two lines")

    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_server_without_tls_cannot_be_called_with_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_in_the_clear() -> None:
            with server.accept()[0] as connection:
                connection.recv(1)
                connection.sendall(response(400))

        thread = threading.Thread(target=answer_in_the_clear)
        thread.start()

        with pytest.raises(Unreachable, match="no encrypted connection"):
            Http(f"https://127.0.0.1:{server.getsockname()[1]}").send(GET, Deadline.after(LONG))

        thread.join()


def test_an_encrypted_connection_that_does_not_come_about_in_time_never_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(Unreachable, match="in time"):
        Http(f"https://127.0.0.1:{server.getsockname()[1]}").send(GET, Deadline.after(SHORT))


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Wire(answers(200, "from afar")).listening() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("http://", "http://user:pass@"))

        answer = Http("http://badgr.test").send(GET, Deadline.after(LONG))

    assert answer.body == b"from afar"
    assert proxy.line() == "GET http://badgr.test/v2/things HTTP/1.1"
    assert proxy.header("proxy-authorization") == "Basic dXNlcjpwYXNz"


def test_a_proxy_that_refuses_means_it_never_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with Wire(answers(407)).listening() as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)

        with pytest.raises(Unreachable):
            Http("https://badgr.test").send(GET, Deadline.after(LONG))

    assert proxy.line().startswith("CONNECT badgr.test:443")


def test_a_host_can_be_exempt_from_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with Wire(answers(200)).listening() as wire:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")

        assert send(wire) == (200, b"")


@pytest.mark.parametrize("url", ["api.badgr.io", "ftp://api.badgr.io", "https://", ""])
def test_a_url_that_cannot_be_called_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="https://"):
        Http(url)


def test_nothing_shows_what_is_asked_or_answered() -> None:
    request = Request(
        "POST", "/a", query=[("recipient", "ann@x.org")], json={"who": "ann@x.org"}, form={"a": "s"}
    )

    with Wire(answers(200, "ann@x.org", {"X-A": "ann@x.org"})).listening() as wire:
        answer = Http(wire.url).send(request, Deadline.after(LONG))

    assert "ann" not in repr(request) + repr(answer)


def test_tls_is_checked_against_known_authorities() -> None:
    context = Http("https://badgr.test")._tls

    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.fixture
def _known_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


@pytest.mark.usefixtures("_known_authority")
def test_a_call_over_tls_is_answered() -> None:
    with Wire(answers(200, "x" * 100_000), tls=True).listening() as wire:
        status, content = send(wire, Request("POST", "/a", json="y" * 100_000))

    assert (status, len(content)) == (200, 100_000)
    assert len(wire.json()) == 100_000


@pytest.mark.usefixtures("_known_authority")
@pytest.mark.parametrize("script", [drips, drips_its_body], ids=["dripping-head", "dripping-body"])
def test_a_call_over_tls_ends_with_its_deadline(script: Callable[[socket.socket], None]) -> None:
    with Wire(script, tls=True).listening() as wire, pytest.raises(NoAnswer, match="no answer in time"):
        send(wire, seconds=SHORT)


@pytest.mark.usefixtures("_known_authority")
def test_a_broken_answer_over_tls_leaves_it_open_what_happened() -> None:
    with Wire(cut_in_the_body, tls=True).listening() as wire, pytest.raises(NoAnswer):
        send(wire)


def test_a_server_that_nobody_vouches_for_is_never_told_anything() -> None:
    wire = Wire(answers(200), tls=True)

    with wire.listening(), pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        send(wire)

    assert wire.requests == []
