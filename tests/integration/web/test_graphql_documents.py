"""What docs/graphql.md shows: each query is answered, as shown where an answer is, and the command runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bodies import DAY, enrolled, posted, registered
from tests.support.graphql_site import TOKEN, Site, migrated, served
from tests.support.ground import badge

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[3] / "docs" / "graphql.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
QUERIES = [
    pytest.param(
        text, BLOCKS[number + 1][1] if BLOCKS[number + 1][0] == "json" else None, id=f"block-{number}"
    )
    for number, (language, text) in enumerate(BLOCKS)
    if language == "graphql"
]
ENROL = {"lp_enroll": {"learning_path_id": "40"}}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The badges that the page speaks of; Ada has the first."""
    url = f"sqlite:///{tmp_path_factory.mktemp('docs') / 'badge-worker.db'}"
    migrated(url)
    with served(url) as site:
        site.ground.apply(
            **{
                "first-steps": badge(
                    ENROL, title="First steps", picture="https://example.org/first-steps.png"
                ),
                "all-rounder": badge({"all_of": [ENROL, {"social_engagement": {"threshold": 10}}]}),
                "networker": badge({"social_connection": {"threshold": 5, "period": 7 * DAY}}),
            }
        )
        posts = [posted(number, "ada", f"post-{number}") for number in range(3)]
        site.ground.ingest(registered(0, "ada", uuid="uuid-ada"), enrolled(DAY, "ada"), *posts)
        yield site


@pytest.mark.parametrize(("query", "answer"), QUERIES)
def test_a_query_of_the_page_is_answered_as_it_says(site: Site, query: str, answer: str | None) -> None:
    data = site.ask(query, "uuid-ada")

    assert data == (json.loads(answer) if answer else data)
    assert None not in data.values()


def test_the_command_of_the_page_runs(site: Site) -> None:
    (command,) = [text for language, text in BLOCKS if language == "sh"]
    said = {"URL": str(site.client.base_url).rstrip("/"), "TOKEN": TOKEN, "WHO": "uuid-ada"}

    done = subprocess.run(
        ["bash", "-c", command], env={**os.environ, **said}, capture_output=True, check=True, timeout=30
    )

    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["data"]["getBadges"]["totalItems"] == 3
