"""`badge-worker up` with a badge of each provider: both issuers are pointed at the sandbox."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.embedded import PATIENCE, Up, start_up
from tests.support.bodies import enrolled, registered, updated
from tests.support.processes import no_process_left
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Spawn

BADGES = """
issuers:
  academy: {provider: badgr, url: https://api.badgr.io}
  partner: {provider: credly, url: https://api.credly.com/v1, organization: 3978643a-fbf7}
badges:
  first-steps:
    title: First steps
    picture: https://example.org/first-steps.png
    issue: {issuer: academy, badgeclass: K829IK8RS6ercwkpeFOn-Q}
    criteria: {lp_enroll: {learning_path_id: "40"}}
  partner-steps:
    title: First steps, too
    picture: https://example.org/partner-steps.png
    issue: {issuer: partner, template: f3d60253-ee6a}
    criteria: {lp_enroll: {learning_path_id: "40"}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config = tmp_path / "home" / "config"
    config.mkdir(parents=True)
    (config / "badges.yaml").write_text(BADGES)
    return config.parent


def held(up: Up) -> dict[str, dict[str, Any]]:
    """Return what the sandbox holds, by provider."""
    rows = httpx.get(f"{up.described()['urls']['sandbox']}/sandbox/assertions", timeout=10).json()
    assert len({row["provider"] for row in rows}) == len(rows)
    return {row["provider"]: row for row in rows}


def test_an_award_goes_to_badgr_at_once_and_to_credly_with_the_names(spawn: Spawn, folder: Path) -> None:
    now = datetime.now(UTC)
    with no_process_left():
        up = start_up(spawn, folder)
        up.publish(registered(now, "ada", email="ada@example.org"), enrolled(now, "ada"))
        wait_until(lambda: "badgr" in held(up), PATIENCE, "an assertion at Badgr")
        waiting = {each["badge_id"]: each["state"] for each in up.command("awards", "list")}
        up.publish(updated(now, "ada", first_name="Ada", last_name="Lovelace"))
        wait_until(lambda: "credly" in held(up), PATIENCE, "a badge at Credly")

        found, checks = held(up)["credly"], up.command("doctor")["checks"]
        up.process.signal(signal.SIGTERM)
        up.process.wait()

    assert waiting["partner-steps"] == "waiting"
    assert (found["recipient"], found["earner"]) == ("ada@example.org", "ada")
    assert (found["issuer"], found["account"]) == ("3978643a-fbf7", "partner")
    assert [each["what"] for each in checks if not each["ok"]] == []
    assert {"issuer partner", "badge partner-steps"} <= {each["what"] for each in checks}
