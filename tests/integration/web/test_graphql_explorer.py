"""The page to try queries in: all of it is ours, and it works in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support import node
from tests.support.bodies import enrolled, registered
from tests.support.browser import browser
from tests.support.graphql_site import TOKEN, listening, migrated, settings
from tests.support.ground import Ground, badge
from tests.support.waiting import wait_until
from worker.bootstrap import Services
from worker.web.application import application
from worker.web.graphql import explorer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.browser import Browser

_SET = "document.querySelectorAll('.CodeMirror')[arguments[0]].CodeMirror.setValue(arguments[1])"
_QUERY, _HEADERS = 0, 2  # the editors of the page, in order; the second is for variables
_ANSWER = ".result-window"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The whole application with the explorer; Ada has a badge."""
    url = f"sqlite:///{tmp_path_factory.mktemp('explorer') / 'badge-worker.db'}"
    migrated(url)
    services = Services(settings(url, graphql_explorer=True, events_url="redis://127.0.0.1:1/0?stream=x"))
    ground = Ground(services.database.engine)
    ground.apply(**{"first-steps": badge({"lp_enroll": {"learning_path_id": "40"}}, title="First steps")})
    ground.ingest(registered(0, "ada", uuid="uuid-ada"), enrolled(1, "ada", "40"))
    with listening(application(services)) as address:
        yield address
    services.close()


def test_everything_that_the_page_names_is_there(address: str) -> None:
    page = httpx.get(f"{address}/graphql")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert page.headers["content-type"].startswith("text/html")
    found = {each: httpx.get(f"{address}/{each}").status_code for each in named if each != "data:,"}
    assert len(found) > 4
    assert set(found.values()) == {200}


def test_no_style_loads_a_font_or_anything_from_elsewhere() -> None:
    styles = [file.read_text() for file in explorer.FILES.glob("*.css")]

    assert styles
    for style in styles:
        assert "@font-face" not in style
        assert "@import" not in style
        assert not re.search(r"url\((?!data:)", style)


def without_map(script: str) -> str:
    return re.sub(r"\n//# sourceMappingURL=.*\n", "\n", script)


def without_fonts(style: str) -> str:
    bare = re.sub(r"@font-face\s*\{[^}]*\}\s*", "", style)
    return bare.replace('"Roboto",', "system-ui,").replace('"Fira Code",', "ui-monospace,")


def as_it_is(content: str) -> str:
    return content


@pytest.mark.parametrize(
    ("package", "path", "changed"),
    [
        pytest.param("graphiql", "graphiql.min.js", without_map, id="graphiql.min.js"),
        pytest.param("graphiql", "graphiql.min.css", without_fonts, id="graphiql.min.css"),
        pytest.param("react", "umd/react.production.min.js", as_it_is, id="react"),
        pytest.param("react-dom", "umd/react-dom.production.min.js", as_it_is, id="react-dom"),
    ],
)
def test_each_file_is_the_one_of_npm(package: str, path: str, changed: Callable[[str], str]) -> None:
    """What is changed is said where their licences are, and nothing else is."""
    licences = (explorer.FILES / "LICENSES.txt").read_text()
    (version,) = re.findall(rf"\b(?<!-){package} (\d+\.\d+\.\d+)", licences)

    original = (node.packed(package, version) / path).read_text("utf-8")

    assert (explorer.FILES / Path(path).name).read_text("utf-8") == changed(original)


def test_each_package_comes_with_its_licence() -> None:
    licences = (explorer.FILES / "LICENSES.txt").read_text()

    assert all(f"{name} " in licences for name in ("graphiql", "react", "react-dom"))
    assert licences.count("MIT License") == 2


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Browser]:
    with browser(tmp_path / "chromium") as opened:
        yield opened


def test_a_query_is_answered_in_a_browser(address: str, window: Browser) -> None:
    window.open(f"{address}/graphql")
    window.one(".graphiql-execute-button")
    headers = {"Authorization": f"Bearer {TOKEN}", "Opigno-Client-UUID": "uuid-ada"}

    window.driver.execute_script(_SET, _HEADERS, json.dumps(headers))
    window.driver.execute_script(_SET, _QUERY, '{ getBadge(badgeId: "first-steps") { title status } }')
    window.one(".graphiql-execute-button").click()

    wait_until(lambda: "EARNED" in window.one(_ANSWER).text, 20, what="the answer")
    assert '"title": "First steps"' in window.one(_ANSWER).text
    # The schema was asked for before anybody had said who asks; nothing else was refused.
    assert [each for each in window.complaints if "401" not in each] == []
