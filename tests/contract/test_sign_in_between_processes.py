"""One sign-in for all processes, on the real Redis or Valkey and against the Badgr sandbox."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from worker.sandbox import SandboxOptions, SeedBadgeClass, running

if TYPE_CHECKING:
    from tests.conftest import Spawn

CLASS = "class-1"
PROCESSES, CALLS = 3, 40


def ask(url: str, body: bytes | None = None, kind: str = "application/json") -> Any:
    headers = {"Accept": "application/json", "Content-Type": kind}
    with urlopen(Request(url, body, headers)) as answer:  # noqa: S310 - our own sandbox
        return json.load(answer)


def test_processes_that_lose_their_token_again_and_again_sign_in_one_at_a_time(
    redis_url: str, spawn: Spawn
) -> None:
    options = SandboxOptions(rate_limit=None, badgeclasses=[SeedBadgeClass(CLASS, "First steps", "issuer-1")])
    with running(options) as url:
        form = b"username=academy&password=any"
        refresh_token = ask(f"{url}/o/token", form, "application/x-www-form-urlencoded")["refresh_token"]
        losing = {"fault": "expire_tokens", "rate": 0.2, "path": "^/v2/"}
        ask(f"{url}/sandbox/faults", json.dumps({"seed": 1, "rules": [losing]}).encode())

        awarder = [sys.executable, "-m", "tests.unit.adapters.awarder", redis_url, url, refresh_token, CLASS]
        processes = [spawn([*awarder, f"process-{each}", str(CALLS)]) for each in range(PROCESSES)]
        codes = [each.wait(100) for each in processes]

        calls, held = ask(f"{url}/sandbox/calls"), ask(f"{url}/sandbox/assertions")

    sign_ins = Counter(call["status"] for call in calls if call["path"] == "/o/token")
    assert codes == [0] * PROCESSES
    assert set(sign_ins) == {200}  # a refresh token that is used twice would have been refused
    assert sign_ins[200] > 5
    assert len({each["recipient"] for each in held}) == len(held) == PROCESSES * CALLS
