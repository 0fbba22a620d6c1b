"""A caller of the Badgr API with an issuer and a badge class, what it sends, and tables of what arrives."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote
from urllib.request import urlopen

from worker.adapters.badgr import BadgrProvider, Credentials
from worker.adapters.badgr.models.assertions import AssertionIn, AssertionOut, EvidenceIn, RecipientIn
from worker.adapters.badgr.models.backpack import CollectionIn
from worker.adapters.badgr.models.badgeclasses import AlignmentIn, BadgeClassIn, ExpiresIn
from worker.adapters.badgr.models.base import Entity
from worker.adapters.badgr.models.claim_codes import ClaimCodeIn
from worker.adapters.badgr.models.issuers import IssuerIn
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.adapters.tokens import MemoryTokens

if TYPE_CHECKING:
    from tests.support.recording import Arrived

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
PNG = f"data:image/png;base64,{PIXEL}"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOON_TEXT = "2026-01-31T12:00:00.000000Z"
ANN, BOB, CID = "ann+badges@example.org", "bob@example.org", "cid@example.org"
_callers = count(1)
E = TypeVar("E", bound=Entity)


class World:
    """A caller of its own at the sandbox, with one issuer and one badge class."""

    def __init__(self, url: str, arrived: list[Arrived]) -> None:
        self.url = url
        self.arrived = arrived
        self.address = f"caller-{next(_callers)}@example.org"
        permits = MemoryPermits({"academy": RateLimit(1000, 60, 30)})
        credentials = Credentials(username=self.address, password="any")
        self.provider = BadgrProvider("academy", url, credentials, permits, MemoryTokens(), 30)
        self.client = self.provider.client()
        self.issuer = self.client.issuers.create(an_issuer()).entity_id
        self.badgeclass = self.client.badgeclasses.create_of_issuer(self.issuer, a_badgeclass()).entity_id
        self.made: dict[str, str] = {}

    @property
    def open_badge_id(self) -> str:
        return f"{self.url}/public/badges/{self.badgeclass}"

    def award(self, recipient: str = ANN, **more: Any) -> AssertionOut:
        assertion = AssertionIn(recipient=RecipientIn(identity=recipient), **more)
        return self._keep("assertion", self.client.assertions.issue(self.badgeclass, assertion))

    def own(self) -> AssertionOut:
        """Award the badge class to the caller."""
        return self.award(self.address)

    def code(self) -> str:
        self.made["code"] = self.client.claim_codes.create(self.badgeclass, ClaimCodeIn(label="x")).code
        return self.made["code"]

    def collection(self) -> str:
        made = self.client.collections.create(CollectionIn(name="Mine"))
        return self._keep("collection", made).entity_id

    def token(self) -> str:
        (token,) = self.client.tokens.all()
        return self._keep("token", token).entity_id

    def archived(self) -> None:
        self.client.badgeclasses.archive(self.badgeclass, "old")

    def mailed_token(self) -> str:
        """Ask for a new password and return the token that the mail would hold."""
        self.client.recovery.request(self.address)
        with urlopen(f"{self.url}/sandbox/recoveries") as answer:  # noqa: S310 - ours
            tokens = {each["email"]: each["token"] for each in json.load(answer)}
        self.made["mailed"] = tokens[self.address]
        return self.made["mailed"]

    def me(self) -> str:
        return self._keep("me", self.client.users.get()).entity_id

    def _keep(self, name: str, made: E) -> E:
        self.made[name] = made.entity_id
        return made

    def filled(self, template: Any) -> Any:
        """Put this world's ids where a row names them."""
        if isinstance(template, str):
            names = {"issuer": self.issuer, "badgeclass": self.badgeclass, "url": self.open_badge_id}
            names["ref"] = quote(base64.b64encode(self.open_badge_id.encode()).decode(), safe="")
            return template.format(**names, **self.made, address=self.address)
        if isinstance(template, dict):
            return {name: self.filled(value) for name, value in template.items()}
        if isinstance(template, list):
            return [self.filled(value) for value in template]
        return template


def an_issuer(**more: Any) -> IssuerIn:
    return IssuerIn(name="Academy", email="badges@example.org", url="https://example.org", **more)


def a_badgeclass(**more: Any) -> BadgeClassIn:
    return BadgeClassIn(**({"name": "First steps", "description": "A start", "image": PNG} | more))


def whole_badgeclass(**more: Any) -> BadgeClassIn:
    """Return one with every field that it can have (S1-22 to S1-31)."""
    alignment = AlignmentIn(
        target_name="Counting",
        target_url="https://example.org/counting",
        target_description="Up to ten",
        target_framework="Basics",
        target_code="B-1",
    )
    return a_badgeclass(
        name="Next steps",
        image_alt_text="A pixel",
        achievement_type="Course",
        criteria_url="https://example.org/criteria",
        criteria_narrative="**Go on**",
        alignments=[alignment],
        tags=["steps"],
        expires=ExpiresIn(amount=2, duration="years"),
        extensions={"extensions:x": {"type": ["Extension"]}},
        **more,
    )


WHOLE_BADGECLASS = {
    "name": "Next steps",
    "description": "A start",
    "image": PNG,
    "imageAltText": "A pixel",
    "achievementType": "Course",
    "criteriaUrl": "https://example.org/criteria",
    "criteriaNarrative": "**Go on**",
    "alignments": [
        {
            "targetName": "Counting",
            "targetUrl": "https://example.org/counting",
            "targetDescription": "Up to ten",
            "targetFramework": "Basics",
            "targetCode": "B-1",
        }
    ],
    "tags": ["steps"],
    "expires": {"amount": 2, "duration": "years"},
    "extensions": {"extensions:x": {"type": ["Extension"]}},
}


def whole_assertion(**more: Any) -> AssertionIn:
    """Return one with every field that it can have but those that name its badge class (S1-37 to S1-41)."""
    return AssertionIn(
        recipient=RecipientIn(identity=ANN.upper(), type="email", hashed=True),
        issued_on=NOON.astimezone(datetime.strptime("+0530", "%z").tzinfo),
        expires=NOON + timedelta(days=10_000),
        narrative="**Well done**",
        evidence=[EvidenceIn(url="https://example.org/a", narrative="Seen"), EvidenceIn(narrative="Told")],
        extensions={"extensions:x": {"type": ["Extension"]}},
        notify=True,
        **more,
    )


WHOLE_ASSERTION = {
    "recipient": {"identity": ANN, "type": "email", "hashed": True},
    "issuedOn": NOON_TEXT,
    "expires": "2053-06-18T12:00:00.000000Z",
    "narrative": "**Well done**",
    "evidence": [{"url": "https://example.org/a", "narrative": "Seen"}, {"narrative": "Told"}],
    "extensions": {"extensions:x": {"type": ["Extension"]}},
    "notify": True,
    "allowDuplicateAwards": False,
}


def is_whole_badgeclass(found: Any) -> None:
    assert (found.name, found.description, found.image_alt_text) == ("Next steps", "A start", "A pixel")
    assert (found.achievement_type, found.criteria_url) == ("Course", "https://example.org/criteria")
    assert (found.criteria_narrative, found.tags) == ("**Go on**", ["steps"])
    assert found.alignments[0].target_code == "B-1"
    assert (found.expires.amount, found.expires.duration) == (2, "years")
    assert found.image.endswith(".png")


def is_whole_assertion(found: AssertionOut) -> None:
    assert found.recipient.address() == ANN
    assert (found.issued_on, found.expires) == (NOON, NOON + timedelta(days=10_000))
    assert (found.narrative, found.acceptance, found.revoked) == ("**Well done**", "Unaccepted", False)
    assert [(each.url, each.narrative) for each in found.evidence] == [
        ("https://example.org/a", "Seen"),
        (None, "Told"),
    ]
    assert found.open_badge_id.endswith(f"/public/assertions/{found.entity_id}")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the last call of `play` is to arrive as the others say; `play` looks at what was read."""

    id: str
    method: str
    path: str
    query: list[tuple[str, str]]
    body: Any
    play: Callable[[World], None]


Play = Callable[[World], None]


def table() -> tuple[list[Row], Callable[..., Callable[[Play], Play]]]:
    """Return an empty list of rows, and the decorator that adds a row to it."""
    rows: list[Row] = []

    def row(
        name: str, method: str, path: str, *, query: list[tuple[str, str]] | None = None, body: Any = None
    ) -> Callable[[Play], Play]:
        def add(play: Play) -> Play:
            rows.append(Row(name, method, path, query or [], body, play))
            return play

        return add

    return rows, row
