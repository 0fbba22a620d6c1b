"""The web application keeps to its OpenAPI document, whatever is sent: good data, bad data, other methods."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from tests.support import commands, web_site
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.web.openapi import PATH, openapi_document
from worker.web.webhooks import HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from schemathesis.engine.recorder import ScenarioRecorder
    from schemathesis.schemas import BaseSchema

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"
# Too many events are 413, which its own list of refusals leaves out.
REFUSALS = ["400", "401", "403", "405", "413", "415"]
# All of them would be thousands of requests, and most of them the same.
SHAPES = {"ConnectionRemoved", "EventOfAnotherType"}

# What the document leaves to its words: from 1970 on, and no more than five minutes ahead.
schemathesis.openapi.format(
    "date-time",
    st.tuples(
        st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2026, 1, 1)),  # noqa: DTZ001 # below
        st.sampled_from(["Z", "z", "+01:00", "-05:30"]),
    ).map(lambda parts: parts[0].isoformat() + parts[1]),
)


def test_the_document_among_the_docs_is_the_one_that_is_served() -> None:
    printed = commands.run("events", "openapi").json

    assert printed == openapi_document()
    assert json.loads(DOCUMENT.read_text("utf-8")) == printed


@pytest.fixture(scope="module")
def client(valkey_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    url = f"sqlite:///{tmp_path_factory.mktemp('api') / 'badge-worker.db'}"
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()
    with web_site.site(web_site.settings(url, valkey_server)) as client:
        yield client


def config(client: httpx.Client, phase: str) -> SchemathesisConfig:
    """Return what lets requests of this phase alone be made, with what opens the doors."""
    return SchemathesisConfig.from_dict(
        {
            "base-url": str(client.base_url),
            "headers": {**web_site.bearer(web_site.PUBLISH), HEADER: web_site.SECRET},
            "generation": {"deterministic": True, "database": "none", "max-examples": 40, "no-shrink": True},
            "phases": {
                name: {"enabled": name == phase} for name in ("examples", "coverage", "fuzzing", "stateful")
            },
            "checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}},
        }
    )


def findings(schema: BaseSchema) -> tuple[int, list[str]]:
    """Make all requests; return how many it were, and what is wrong with the answers."""
    requests, found = 0, []
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            found.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            raise event.exception
        elif isinstance(event, events.ScenarioFinished):
            requests += len(event.recorder.interactions)
            found += _failures(event.recorder)
    return requests, found


def _failures(recorder: ScenarioRecorder) -> Iterator[str]:
    for case, checks in recorder.checks.items():
        body = recorder.interactions[case].request.body or b""
        for check in checks:
            if check.failure_info is not None:
                yield f"{recorder.label}: {check.failure_info.failure}: {body[:500]!r}"


def test_good_and_bad_data_of_every_kind_is_answered_as_described(client: httpx.Client) -> None:
    schema = schemathesis.openapi.from_url(f"{client.base_url}{PATH}", config=config(client, "fuzzing"))

    requests, found = findings(schema)

    assert found == []
    assert requests > 60


def test_each_constraint_holds_to_its_last_value_and_no_further(client: httpx.Client) -> None:
    document = client.get(PATH).json()
    kinds = document["components"]["schemas"]["Event"]["oneOf"]
    kinds[:] = [kind for kind in kinds if kind["$ref"].rpartition("/")[2] in SHAPES]

    requests, found = findings(schemathesis.openapi.from_dict(document, config=config(client, "coverage")))

    assert found == []
    assert requests > 100
