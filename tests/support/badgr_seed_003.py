"""The operations of seed 003: all actions of the connector."""

from __future__ import annotations

import pytest

from tests.support.badgr_world import (
    ANN,
    BOB,
    NOON,
    NOON_TEXT,
    PNG,
    WHOLE_ASSERTION,
    World,
    a_badgeclass,
    an_issuer,
    is_whole_assertion,
    table,
    whole_assertion,
)
from worker.adapters.badgr.models.assertions import (
    AssertionChangeIn,
    AssertionIn,
    AssertionOut,
    EvidenceIn,
    RecipientIn,
)
from worker.adapters.badgr.models.backpack import CollectionIn, ImportIn
from worker.adapters.badgr.models.issuers import StaffIn
from worker.adapters.badgr.models.users import EmailIn, UserIn
from worker.errors import PermanentError, Refused

ROWS, row = table()


@row(
    "S3-05",
    "POST",
    "/v2/badgeclasses",
    body={"name": "First steps", "description": "A start", "image": PNG, "issuer": "{issuer}"},
)
def create(world: World) -> None:
    found = world.client.badgeclasses.create(a_badgeclass(issuer=world.issuer))
    assert (found.name, found.issuer) == ("First steps", world.issuer)
    assert found.created_at is not None


@row("S3-06", "POST", "/v2/users/new-one", body={"firstName": "Ann", "lastName": "Other"})
def create_user(world: World) -> None:
    with pytest.raises(Refused, match="makes no accounts") as caught:
        world.client.users.create("new-one", UserIn(first_name="Ann", last_name="Other"))
    assert isinstance(caught.value, PermanentError)
    assert caught.value.status == 404


@row(
    "S3-07",
    "POST",
    "/v2/backpack/collections",
    body={"name": "Mine", "description": "All of it", "published": True},
)
def create_collection(world: World) -> None:
    wanted = CollectionIn(name="Mine", description="All of it", published=True)
    found = world.client.collections.create(wanted)
    assert (found.name, found.description, found.published) == ("Mine", "All of it", True)
    assert found.share_url == f"{world.url}/public/collections/{found.entity_id}"


@row(
    "S3-08",
    "POST",
    "/v2/issuers",
    body={
        "name": "Academy",
        "email": "badges@example.org",
        "url": "https://example.org",
        "description": "We teach",
        "image": PNG,
        "staff": [{"user": "{me}", "role": "owner"}],
    },
)
def create_issuer(world: World) -> None:
    staff = [StaffIn(user=world.me(), role="owner")]
    found = world.client.issuers.create(an_issuer(description="We teach", image=PNG, staff=staff))
    assert (found.name, found.email, found.description) == ("Academy", "badges@example.org", "We teach")
    assert [(each.user, each.role) for each in found.staff] == [(world.made["me"], "owner")]


@row(
    "S3-09",
    "POST",
    "/v2/issuers/{issuer}/badgeclasses",
    body={"name": "First steps", "description": "A start", "image": PNG},
)
def create_by_issuer(world: World) -> None:
    assert world.client.badgeclasses.create_of_issuer(world.issuer, a_badgeclass()).issuer == world.issuer


@row("S3-10", "DELETE", "/v2/badgeclasses/{badgeclass}")
def delete(world: World) -> None:
    world.client.badgeclasses.delete(world.badgeclass)


@row("S3-11", "DELETE", "/v2/backpack/collections/{collection}")
def delete_collection(world: World) -> None:
    world.client.collections.delete(world.collection())


@row("S3-12", "DELETE", "/v2/issuers/{issuer}")
def delete_issuer(world: World) -> None:
    world.client.issuers.delete(world.issuer)


@row("S3-13", "GET", "/v2/badgeclasses/{badgeclass}")
def get(world: World) -> None:
    assert world.client.badgeclasses.get(world.badgeclass).name == "First steps"


@row("S3-14", "GET", "/v2/users/self")
def get_user(world: World) -> None:
    found = world.client.users.get()
    assert [(each.email, each.verified, each.primary) for each in found.emails] == [
        (world.address, True, True)
    ]
    assert found.recipient == {"type": "email", "identity": world.address}


@row("S3-15", "GET", "/v2/backpack/collections/{collection}")
def get_collection(world: World) -> None:
    assert world.client.collections.get(world.collection()).name == "Mine"


@row("S3-16", "GET", "/v2/assertions/{assertion}")
def get_assertion(world: World) -> None:
    made = world.award(issued_on=NOON)
    found = world.client.assertions.get(made.entity_id)
    assert found == made
    assert found.recipient.address() == ANN


@row("S3-17", "GET", "/v2/auth/tokens/{token}")
def get_token(world: World) -> None:
    found = world.client.tokens.get(world.token())
    assert found.scope == "rw:profile rw:issuer rw:backpack"
    assert found.application is not None
    assert found.application.client_id == "public"
    assert found.expires is not None


@row("S3-18", "GET", "/v2/issuers/{issuer}")
def get_issuer(world: World) -> None:
    assert world.client.issuers.get(world.issuer).url == "https://example.org"


@row("S3-19", "GET", "/v2/issuers/{issuer}/assertions")
def list_by_issuer(world: World) -> None:
    made = world.award()
    revoked = world.award(BOB)
    world.client.assertions.revoke(revoked.entity_id, "mistake")
    assert [each.entity_id for each in world.client.assertions.of_issuer(world.issuer)] == [made.entity_id]


@row(
    "S3-20",
    "GET",
    "/v2/backpack/assertions",
    query=[("include_expired", "true"), ("include_revoked", "true"), ("include_pending", "true")],
)
def list_backpack(world: World) -> None:
    made = world.own()
    (found,) = world.client.backpack.all(include_expired=True, include_revoked=True, include_pending=True)
    assert (found.entity_id, found.acceptance, found.pending) == (made.entity_id, "Unaccepted", False)


@row("S3-21", "GET", "/v2/backpack/assertions/{assertion}")
def get_backpack(world: World) -> None:
    found = world.client.backpack.get(world.own().entity_id)
    assert found.badgeclass == world.badgeclass
    assert found.recipient is not None
    assert found.recipient.address() == world.address


@row(
    "S3-22",
    "GET",
    "/v2/badgeclasses/{badgeclass}/assertions",
    query=[("recipient", ANN), ("recipient", BOB), ("include_revoked", "1")],
)
def list_by_badgeclass(world: World) -> None:
    world.award()
    revoked = world.award(BOB)
    world.client.assertions.revoke(revoked.entity_id, "mistake")
    found = world.client.assertions.of_badgeclass(world.badgeclass, [ANN, BOB], include_revoked=True)
    assert [(each.recipient.address(), each.revoked) for each in found] == [(ANN, False), (BOB, True)]


@row("S3-23", "GET", "/v2/backpack/collections")
def list_collections(world: World) -> None:
    made = world.collection()
    assert [each.entity_id for each in world.client.collections.all()] == [made]


@row("S3-24", "GET", "/v2/issuers/{issuer}/badgeclasses", query=[("num", "10")])
def list_classes_by_issuer(world: World) -> None:
    found = world.client.badgeclasses.of_issuer(world.issuer, num=10)
    assert [each.name for each in found] == ["First steps"]


@row("S3-25", "GET", "/v2/issuers")
def list_issuers(world: World) -> None:
    (found,) = world.client.issuers.all()
    assert (found.entity_id, found.staff[0].role) == (world.issuer, "owner")
    assert getattr(found.staff[0].user_profile, "entity_id", None) == found.created_by


@row("S3-26", "GET", "/v2/auth/tokens")
def list_tokens(world: World) -> None:
    (found,) = world.client.tokens.all()
    assert found.created is not None


@row("S3-27", "GET", "/v2/badgeclasses")
def list_classes(world: World) -> None:
    assert [each.entity_id for each in world.client.badgeclasses.all()] == [world.badgeclass]


@row("S3-28", "POST", "/v2/backpack/import", body={"url": "{imported}"})
def bring_in(world: World) -> None:
    world.made["imported"] = world.own().open_badge_id
    found = world.client.backpack.bring_in(ImportIn(url=world.made["imported"]))
    assert (found.open_badge_id, found.acceptance) == (world.made["imported"], "Accepted")


@row(
    "S3-29",
    "POST",
    "/v2/issuers/{issuer}/assertions",
    body={**WHOLE_ASSERTION, "badgeclassName": "FIRST steps"},
)
def award_by_issuer(world: World) -> None:
    found = world.client.assertions.issue_by_issuer(
        world.issuer, whole_assertion(badgeclass_name="FIRST steps")
    )
    assert found.badgeclass == world.badgeclass
    is_whole_assertion(found)


@row("S3-30", "POST", "/v2/badgeclasses/{badgeclass}/assertions", body=WHOLE_ASSERTION)
def award(world: World) -> None:
    is_whole_assertion(world.client.assertions.issue(world.badgeclass, whole_assertion()))


@row(
    "S3-31",
    "POST",
    "/v2/badgeclasses/{badgeclass}/issue",
    body={
        "assertions": [
            WHOLE_ASSERTION,
            {"recipient": {"identity": BOB, "type": "email"}, "allowDuplicateAwards": False},
        ]
    },
)
def award_many(world: World) -> None:
    other = AssertionIn(recipient=RecipientIn(identity=BOB))
    first, second = world.client.assertions.issue_many(world.badgeclass, [whole_assertion(), other])
    assert isinstance(first, AssertionOut)
    assert isinstance(second, AssertionOut)
    is_whole_assertion(first)
    assert second.recipient.address() == BOB


@row("S3-32", "PUT", "/v2/auth/forgot-password", body={"token": "{mailed}", "password": "long enough"})
def recover(world: World) -> None:
    world.client.recovery.set_password(world.mailed_token(), "long enough")


@row("S3-33", "DELETE", "/v2/backpack/assertions/{assertion}")
def remove_from_backpack(world: World) -> None:
    world.client.backpack.remove(world.own().entity_id)


@row("S3-34", "POST", "/v2/auth/forgot-password", body={"email": "{address}"})
def ask_for_recovery(world: World) -> None:
    world.client.recovery.request(world.address)


@row("S3-35", "POST", "/v2/tokens/issuers", body={"issuers": ["{issuer}"]})
def issuer_tokens(world: World) -> None:
    (found,) = world.client.tokens.of_issuers([world.issuer])
    assert (found.issuer, found.expires is not None) == (world.issuer, True)
    assert found.token
    assert found.token not in repr(found)


@row("S3-36", "DELETE", "/v2/auth/tokens/{token}")
def revoke_token(world: World) -> None:
    world.client.tokens.revoke(world.token())


@row("S3-37", "DELETE", "/v2/assertions/{assertion}", body={"revocation_reason": "mistake"})
def revoke(world: World) -> None:
    found = world.client.assertions.revoke(world.award().entity_id, "mistake")
    assert found is not None
    assert (found.revoked, found.revocation_reason, found.image) == (True, "mistake", None)


@row(
    "S3-38",
    "POST",
    "/v2/assertions/revoke",
    body=[{"entityId": "{assertion}", "revocationReason": "mistake"}],
)
def revoke_many(world: World) -> None:
    (found,) = world.client.assertions.revoke_many([(world.award().entity_id, "mistake")])
    assert (found.entity_id, found.revoked, found.reason) == (world.made["assertion"], True, None)


@row(
    "S3-39",
    "PUT",
    "/v2/badgeclasses/{badgeclass}",
    body={"name": "First step", "description": "A start", "image": PNG, "criteriaUrl": None},
)
def update(world: World) -> None:
    changed = a_badgeclass(name="First step", criteria_url=None)
    assert world.client.badgeclasses.update(world.badgeclass, changed).name == "First step"


@row(
    "S3-40",
    "PUT",
    "/v2/users/self",
    body={"firstName": "Ann", "emails": [{"email": "{address}", "primary": True}]},
)
def update_user(world: World) -> None:
    changed = UserIn(first_name="Ann", emails=[EmailIn(email=world.address, primary=True)])
    assert world.client.users.update(changed).first_name == "Ann"


@row(
    "S3-41",
    "PUT",
    "/v2/backpack/collections/{collection}",
    body={"name": "Ours", "assertions": ["{assertion}"]},
)
def update_collection(world: World) -> None:
    changed = CollectionIn(name="Ours", assertions=[world.own().entity_id])
    found = world.client.collections.update(world.collection(), changed)
    assert (found.name, found.assertions) == ("Ours", [world.made["assertion"]])


@row(
    "S3-42",
    "PUT",
    "/v2/assertions/{assertion}",
    body={
        "recipient": {"identity": BOB, "type": "email"},
        "issuedOn": NOON_TEXT,
        "expires": None,
        "narrative": "Better",
        "evidence": [{"narrative": "Told"}],
    },
)
def update_assertion(world: World) -> None:
    changed = AssertionChangeIn(
        recipient=RecipientIn(identity=BOB),
        issued_on=NOON,
        expires=None,
        narrative="Better",
        evidence=[EvidenceIn(narrative="Told")],
    )
    found = world.client.assertions.update(world.award().entity_id, changed)
    assert (found.recipient.address(), found.issued_on, found.narrative) == (BOB, NOON, "Better")


@row(
    "S3-43",
    "PUT",
    "/v2/issuers/{issuer}",
    body={
        "name": "Academy",
        "email": "badges@example.org",
        "url": "https://example.org",
        "description": "We do",
    },
)
def update_issuer(world: World) -> None:
    assert world.client.issuers.update(world.issuer, an_issuer(description="We do")).description == "We do"


@row("S3-44", "PUT", "/v2/backpack/assertions/{assertion}", body={"acceptance": "Accepted"})
def accept(world: World) -> None:
    assert world.client.backpack.accept(world.own().entity_id).acceptance == "Accepted"


@row("S3-45", "POST", "/v2/backpack/assertions", body={**WHOLE_ASSERTION, "badgeclassOpenBadgeId": "{url}"})
def upload(world: World) -> None:
    with pytest.raises(Refused, match="no uploads") as caught:
        world.client.backpack.upload(whole_assertion(badgeclass_open_badge_id=world.open_badge_id))
    assert isinstance(caught.value, PermanentError)
    assert caught.value.status == 500
