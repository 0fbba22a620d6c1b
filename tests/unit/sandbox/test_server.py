"""The sandbox as a server, over real connections."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from worker.sandbox import SandboxOptions, SeedBadgeClass, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CLASS = "9VPPaFpgSJKp0l34XkNA3Q"
PATH = f"/v2/badgeclasses/{CLASS}/assertions"
SEEDS = [SeedBadgeClass(CLASS, "First steps", "academy")]
ANN = {"recipient": {"identity": "ann@example.org"}}
HEADERS = {"Authorization": "Bearer t"}


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    options = SandboxOptions(badgeclasses=SEEDS, tokens={"t": "me"})
    with running(options) as url, httpx.Client(base_url=url, headers=HEADERS) as client:
        yield client


def eventually(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it never happened")


def held(client: httpx.Client) -> list[Any]:
    found: list[Any] = client.get("/sandbox/assertions").json()
    return found


def test_awards_are_made_over_a_real_connection(client: httpx.Client) -> None:
    answer = client.post(PATH, json=ANN)

    assert answer.status_code == 201
    assert answer.json()["result"][0]["openBadgeId"] == held(client)[0]["url"]
    assert client.get(held(client)[0]["url"]).status_code == 200


@pytest.mark.parametrize(("fault", "saved"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_connection_ends_without_an_answer(client: httpx.Client, fault: str, saved: int) -> None:
    client.post("/sandbox/faults", json={"fault": fault, "times": 1})

    with pytest.raises(httpx.RemoteProtocolError):
        client.post(PATH, json=ANN)

    assert len(held(client)) == saved
    assert client.post(PATH, json=ANN).status_code == 201


def test_an_award_is_saved_although_its_client_has_hung_up(client: httpx.Client) -> None:
    client.post("/sandbox/faults", json={"fault": "slow", "seconds": 0.3, "times": 1})

    with pytest.raises(httpx.ReadTimeout):
        client.post(PATH, json=ANN, timeout=0.05)

    assert eventually(lambda: held(client))[0]["recipient"] == "ann@example.org"


def test_of_many_calls_at_once_exactly_as_many_pass_as_may() -> None:
    options = SandboxOptions(rate_limit="20/60s", badgeclasses=SEEDS, tokens={"t": "me"})

    with (
        running(options) as url,
        httpx.Client(base_url=url, headers=HEADERS) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        answers = list(pool.map(lambda _: client.get(PATH).status_code, range(60)))

    assert sorted(answers) == [200] * 20 + [429] * 40


def test_a_call_that_breaks_off_in_its_body_is_no_award(client: httpx.Client) -> None:
    address = client.base_url.host, client.base_url.port or 0
    with socket.create_connection(address) as half:
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\nContent-Length: 99\r\n\r\n{{"
        half.sendall(head.encode())

    calls = eventually(lambda: client.get("/sandbox/calls").json())
    assert calls[0]["status"] is None
    assert held(client) == []


SCRIPT = """
    import sys
    from pathlib import Path
    from worker.sandbox import SandboxOptions, SeedBadgeClass, serve
    options = SandboxOptions(
        data=Path(sys.argv[1]), tokens={"t": "me"}, badgeclasses=[SeedBadgeClass(sys.argv[2], "x", "academy")]
    )
    serve(options, port=int(sys.argv[3]), ready=lambda url: print(url, flush=True))
"""


def start(data: Path, port: int = 0) -> tuple[subprocess.Popen[str], str]:
    """Run the sandbox as a program of its own; return it with the URL that it says."""
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(data), CLASS, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def stop(process: subprocess.Popen[str], sign: int) -> int:
    process.send_signal(sign)
    with process:
        return process.wait(20)


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    process, url = start(tmp_path / "sandbox.db")
    try:
        made = httpx.post(url + PATH, json=ANN, headers=HEADERS).json()["result"][0]
        # How a call ended is noted after its answer went out; to ask for it is to wait for that.
        noted = httpx.get(url + "/sandbox/calls").json()
    finally:
        stop(process, signal.SIGKILL)

    process, url = start(tmp_path / "sandbox.db")
    try:
        kept = httpx.get(url + PATH, headers=HEADERS).json()["result"]
        calls = httpx.get(url + "/sandbox/calls").json()
    finally:
        stop(process, signal.SIGKILL)

    assert [each["entityId"] for each in kept] == [made["entityId"]]
    assert [(each["method"], each["status"]) for each in calls] == [("POST", 201), ("GET", 200)]
    assert calls[:1] == noted


def test_a_signal_ends_it(tmp_path: Path) -> None:
    process, url = start(tmp_path / "sandbox.db")

    healthy = httpx.get(f"{url}/health").status_code
    code = stop(process, signal.SIGTERM)

    assert healthy == 200
    assert code == -signal.SIGTERM


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        sandbox = running(SandboxOptions(), port=taken.getsockname()[1])

        with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)), sandbox:
            pass
