"""The sandbox answers what the real service was seen to answer (tests/fixtures/badgr)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

if TYPE_CHECKING:
    import httpx

    from tests.unit.sandbox.conftest import Sandboxes, Tried

FIXTURES = Path(__file__).parents[2] / "fixtures" / "badgr"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.json"))

# Values that differ from run to run, told by how they look.
_LOOKS = (
    ("time", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z"),
    ("time with offset", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00"),
    ("hash", r"sha256\$[0-9a-f]{64}"),
    ("salt", r"[0-9a-f]{32}"),
    ("token", r"[\w-]{30}"),
    ("id", r"[\w-]{22}"),
)


def looks(value: Any) -> Any:
    """Replace what differs from run to run by what kind of thing it is."""
    if isinstance(value, dict):
        return {key: looks(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [looks(inner) for inner in value]
    return _looks_of_text(value) if isinstance(value, str) else value


def _looks_of_text(text: str) -> str:
    for name, pattern in _LOOKS:
        if re.fullmatch(pattern, text):
            return f"<{name}>"
    if not text.startswith("http://"):
        return text
    parts = urlsplit(text)
    path = re.sub(r"[\w-]{22}(_[0-9a-f]{8})?(?=/|\.png|$)", r"<id>\1", parts.path)
    path = re.sub(r"_[0-9a-f]{8}(?=\.png)", "<anew>", path)
    return f"{parts.netloc}{path}?{sorted(name for name, _ in parse_qsl(parts.query))}"


class Teller:
    """Makes the calls of a fixture, filling in ids and tokens from earlier answers."""

    def __init__(self, tried: Tried) -> None:
        self._tried = tried
        self._known: dict[str, str] = {}

    def tell(self, request: dict[str, Any]) -> httpx.Response | None:
        if "wait" in request:
            self._tried.clock.wait(request["wait"])
            return None
        filled = json.loads(self._fill(json.dumps(request)))
        response = self._tried.call(
            filled["method"],
            filled["path"],
            None if filled.get("anonymous") else self._account(filled.get("scope")),
            headers=filled.get("headers", {}),
            json=filled.get("json"),
            data=filled.get("form"),
            content=filled.get("text"),
        )
        self._learn(response)
        return response

    def _account(self, scope: str | None) -> str:
        if scope is None:
            return "me"
        form = {"username": "narrow", "password": "x", "client_id": "public", "scope": scope}
        self._tried.tokens["narrow"] = self._tried.sign_in(**form).json()["access_token"]
        return "narrow"

    def _fill(self, text: str) -> str:
        for name, value in self._known.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def _learn(self, response: httpx.Response) -> None:
        if not response.is_success or "json" not in response.headers.get("content-type", ""):
            return
        body = response.json()
        for entity in body.get("result", []):
            self._known.setdefault("assertion", entity.get("entityId", ""))
        if "refresh_token" in body:
            self._known["refresh_token"] = body["refresh_token"]


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_is_the_captured_one(name: str, sandboxes: Sandboxes) -> None:
    fixture = json.loads((FIXTURES / f"{name}.json").read_text())
    options = fixture.get("options", {})
    if "refuse_sign_in" in options:
        options["refuse_sign_in"] = frozenset(options["refuse_sign_in"])

    with sandboxes(**options) as tried:
        teller = Teller(tried)
        for request in fixture.get("given", []):
            teller.tell(request)
        if "faults" in fixture:
            tried.client.post("/sandbox/faults", json=fixture["faults"])
        response = teller.tell(fixture["request"])

    assert response is not None
    assert response.status_code == fixture["status"]
    _assert_content(response, fixture)
    for header, value in fixture.get("headers", {}).items():
        assert response.headers[header] == value
    for header in fixture.get("absent_headers", []):
        assert header not in response.headers


def _assert_content(response: httpx.Response, fixture: dict[str, Any]) -> None:
    kind = response.headers.get("content-type", "").partition(";")[0] or None
    assert kind == fixture["content_type"]
    if fixture["body"] is not None:
        assert looks(response.json()) == looks(fixture["body"])
    elif kind is None:
        assert response.content == b""


def test_every_case_of_the_fact_sheet_has_its_fixture() -> None:
    assert len(NAMES) >= 80
