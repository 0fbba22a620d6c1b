"""The issuing contract runs against whatever Badgr server the environment names, not against ours alone."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests.support.badgr_server import VARIABLE, named_server
from tests.support.badgr_world import World
from worker.sandbox import SandboxOptions, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Spawn


def variables(world: World) -> dict[str, str]:
    named = {"URL": world.url, "USERNAME": world.address, "PASSWORD": "any"}
    named |= {"ISSUER": world.issuer, "BADGECLASS": world.badgeclass}
    return {VARIABLE + name: value for name, value in named.items()}


def test_the_contract_is_kept_at_a_server_in_use_by_others(spawn: Spawn, tmp_path: Path) -> None:
    with running(SandboxOptions(rate_limit="100/60s")) as url:
        world = World(url, [])
        stranger = world.award("somebody.else@example.org")
        contract = [
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-k",
            "server and (become or duplicate or held or changed or revoked)",
            "tests/contract/test_provider.py",
        ]

        code = spawn([sys.executable, *contract], {**variables(world), "TMPDIR": str(tmp_path)}).wait(120)

        with urlopen(f"{url}/sandbox/calls") as answer:  # noqa: S310 - our own sandbox
            statuses = Counter(call["status"] for call in json.load(answer))
        with urlopen(f"{url}/sandbox/assertions") as answer:  # noqa: S310 - our own sandbox
            held = json.load(answer)
    assert code == 0
    assert statuses[201] > 8
    assert statuses[429] == 0
    assert [each["entityId"] for each in held if not each["revoked"]] == [stranger.entity_id]


def test_a_server_that_is_named_by_halves_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "USERNAME", "PASSWORD", "ISSUER", "BADGECLASS"):
        monkeypatch.delenv(VARIABLE + name, raising=False)
    nobody = named_server()
    monkeypatch.setenv(VARIABLE + "URL", "https://badgr.test")

    with pytest.raises(pytest.UsageError, match="BADGE_WORKER_TEST_BADGR_BADGECLASS"):
        named_server()

    assert nobody is None
