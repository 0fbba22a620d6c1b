"""Everything that comes in from outside, with marks in it that nobody may ever read in a log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx

from tests.e2e.deployment import ADDRESS_MARK, NAME_MARK, SECRET_MARK, TOKEN, WEBHOOK_SECRET, address
from tests.support.bodies import event, registered

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = {"Authorization": f"Bearer {SECRET_MARK}-wrong"}
SOMEBODY = {"Authorization": f"Bearer {TOKEN}"}
UUID = "0d5e1c52-8d6c-4a3b-9c61-6a1f3a1e8b11"
ADDRESS = address("door")


@dataclass(frozen=True, slots=True)
class Knock:
    """A request, and how it ought to be answered: so that it is known to have got as far as it should."""

    expected: HTTPStatus
    method: str
    path: str
    headers: dict[str, str]
    content: bytes = b""


def knocks() -> Iterator[Knock]:
    """Return good and bad requests to every door."""
    yield from _events()
    yield from _webhooks()
    yield from _queries()
    yield Knock(HTTPStatus.NOT_FOUND, "GET", f"/{quote(ADDRESS)}?token={TOKEN}", {})
    yield Knock(HTTPStatus.METHOD_NOT_ALLOWED, "PUT", f"/events?user={quote(ADDRESS)}", SOMEBODY)


def person(user_id: str, email: str = ADDRESS) -> bytes:
    """Return the event that makes somebody known whose address and names carry marks."""
    now = datetime.now(UTC)
    names = {"first_name": f"{NAME_MARK}-first", "last_name": f"{NAME_MARK}-last"}
    uuid = UUID if email == ADDRESS else user_id
    return registered(now, user_id, email=email, uuid=uuid, scope="AUTHENTICATED", **names)


def _events() -> Iterator[Knock]:
    json_body = {"Content-Type": "application/cloudevents+json"}
    good = person("door")
    nameless = event("user.registered", datetime.now(UTC), email=ADDRESS, first_name=NAME_MARK)
    early = json.dumps({**json.loads(good), "time": ADDRESS, "id": NAME_MARK}).encode()
    yield Knock(HTTPStatus.ACCEPTED, "POST", "/events", SOMEBODY | json_body, good)
    yield Knock(HTTPStatus.UNAUTHORIZED, "POST", "/events", NOBODY | json_body, good)
    for bad in (nameless, early, ADDRESS.encode(), json.dumps({ADDRESS: TOKEN}).encode()):
        yield Knock(HTTPStatus.BAD_REQUEST, "POST", "/events", SOMEBODY | json_body, bad)


def _webhooks() -> Iterator[Knock]:
    header = "X-Opigno-LIP-Signature"
    payload = json.dumps({"trigger": ADDRESS, "user": {"mail": ADDRESS, "name": NAME_MARK}}).encode()
    wrong = {header: f"{SECRET_MARK}-guess", "Content-Type": "application/json"}
    yield Knock(HTTPStatus.FORBIDDEN, "POST", "/webhooks/opigno", wrong, payload)
    yield Knock(HTTPStatus.OK, "POST", "/webhooks/opigno", wrong | {header: WEBHOOK_SECRET}, payload)


def _queries() -> Iterator[Knock]:
    as_door = SOMEBODY | {"Opigno-Client-UUID": UUID, "Content-Type": "application/json"}

    def asked(query: str, **variables: str) -> bytes:
        return json.dumps({"query": query, "variables": variables}).encode()

    listed = asked("{ getBadges(first: 5) { totalItems } }")
    by_address = asked("query ($id: ID) { getBadge(badgeId: $id) { title } }", id=ADDRESS)
    yield Knock(HTTPStatus.OK, "POST", "/graphql", as_door, listed)
    yield Knock(HTTPStatus.OK, "POST", "/graphql", as_door, by_address)
    yield Knock(HTTPStatus.UNAUTHORIZED, "POST", "/graphql", as_door | NOBODY, listed)
    yield Knock(HTTPStatus.FORBIDDEN, "POST", "/graphql", as_door | {"Opigno-Client-UUID": ADDRESS}, listed)
    unknown = NAME_MARK.replace("-", "_")
    for broken in (f'{{ getBadge(badgeId: "{ADDRESS}"', f'{{ {unknown}(mail: "{ADDRESS}") }}'):
        yield Knock(HTTPStatus.OK, "POST", "/graphql", as_door, asked(broken))


def walk_through_admin(url: str) -> None:
    """Sign in, once with a wrong token, and look at whatever shows people."""
    with httpx.Client(base_url=f"{url}/admin", timeout=20) as browser:
        refused = browser.post("/sign-in", data={"token": f"{SECRET_MARK}-guess"})
        entered = browser.post("/sign-in", data={"token": TOKEN})
        assert (refused.status_code, entered.status_code) == (HTTPStatus.FORBIDDEN, HTTPStatus.SEE_OTHER)
        shown = browser.get("/letters").text
        for path in ("/", "/awards", f"/awards?user={quote(ADDRESS)}", "/progress?user=door", f"/{ADDRESS}"):
            shown += browser.get(path).text
    assert "sign-out" in shown


def assert_unmarked(printed: str) -> None:
    """Fail where any mark can be read."""
    lines = printed.splitlines()
    marks = (ADDRESS_MARK, SECRET_MARK, NAME_MARK, NAME_MARK.replace("-", "_"))
    assert [line for line in lines if any(mark in line for mark in marks)] == []
