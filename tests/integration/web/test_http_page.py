"""docs/http.md: every command in it does what the line below it says."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import web_site
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.settings import Settings
from worker.web.access import Access

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[3] / "docs" / "http.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
CALLS = [block for block in BLOCKS if block.startswith("curl")]


@pytest.fixture(scope="module")
def variables(valkey_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    url = f"sqlite:///{tmp_path_factory.mktemp('page') / 'badge-worker.db'}"
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()
    with web_site.site(web_site.settings(url, valkey_server)) as client:
        yield {
            "URL": str(client.base_url).rstrip("/"),
            "TOKEN": web_site.PUBLISH,
            "SECRET": web_site.SECRET,
            "PATH": "/usr/bin:/bin",
        }


def run(script: str, variables: dict[str, str]) -> str:
    ended = subprocess.run(["bash", "-ec", script], env=variables, capture_output=True, text=True, check=True)
    return ended.stdout


@pytest.mark.parametrize("block", CALLS, ids=range(len(CALLS)))
def test_each_call_is_answered_as_it_says(variables: dict[str, str], block: str) -> None:
    call, _, said = block.rpartition("\n# ")
    status, _, body = said.strip().partition(" ")

    answer = run(call.replace("curl -sS", "curl -sS -w '\n%{http_code}'", 1), variables)

    shown, _, code = answer.rpartition("\n")
    assert (code, json.loads(shown)) == (status, json.loads(body))


def test_the_entry_that_it_makes_lets_its_token_in() -> None:
    (making,) = [block for block in BLOCKS if block.startswith("TOKEN=")]

    token, entry = run(making + 'echo "$TOKEN"', {"PATH": "/usr/bin:/bin"}).splitlines()[::-1]

    caller = Access(Settings.model_validate({"api_tokens": entry})).caller(f"Bearer {token}")
    assert caller
    assert (caller.name, list(caller.roles)) == ("lms", ["publish"])


def test_nothing_was_left_out() -> None:
    assert len(CALLS) == 5
    assert len(BLOCKS) == 6
