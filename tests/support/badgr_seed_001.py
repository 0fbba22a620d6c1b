"""The operations of seed 001: badge classes, assertions and claim codes of the hosted service."""

from __future__ import annotations

from tests.support.badgr_world import (
    ANN,
    BOB,
    NOON,
    NOON_TEXT,
    WHOLE_ASSERTION,
    WHOLE_BADGECLASS,
    World,
    is_whole_assertion,
    is_whole_badgeclass,
    table,
    whole_assertion,
    whole_badgeclass,
)
from worker.adapters.badgr.models.claim_codes import ClaimCodeIn

ROWS, row = table()


@row("S1-01", "GET", "/v2/badgeclasses/{badgeclass}", query=[("include_archived", "true")])
def get_archived(world: World) -> None:
    world.archived()
    found = world.client.badgeclasses.get(world.badgeclass, include_archived=True)
    assert (found.entity_id, found.archived, found.archival_note) == (world.badgeclass, True, "old")
    assert found.archived_date is not None


@row("S1-02", "PUT", "/v2/badgeclasses/{badgeclass}", body=WHOLE_BADGECLASS)
def put(world: World) -> None:
    is_whole_badgeclass(world.client.badgeclasses.update(world.badgeclass, whole_badgeclass()))


@row(
    "S1-03",
    "DELETE",
    "/v2/badgeclasses/{badgeclass}",
    query=[("hard_delete", "false"), ("archivalNote", "no more")],
)
def delete_softly(world: World) -> None:
    world.client.badgeclasses.delete(world.badgeclass, hard_delete=False, archival_note="no more")


@row(
    "S1-04",
    "PUT",
    "/v2/badgeclasses/{badgeclass}/claim-codes/{code}",
    body={"label": "Conference", "limit": 30, "expirationDate": NOON_TEXT},
)
def put_code(world: World) -> None:
    changed = ClaimCodeIn(label="Conference", limit=30, expiration_date=NOON)
    found = world.client.claim_codes.update(world.badgeclass, world.code(), changed)
    assert (found.label, found.limit, found.expiration_date) == ("Conference", 30, NOON)


@row("S1-05", "DELETE", "/v2/badgeclasses/{badgeclass}/claim-codes/{code}")
def archive_code(world: World) -> None:
    world.client.claim_codes.archive(world.badgeclass, world.code())


@row("S1-06", "GET", "/v2/badgeclasses/ref/{ref}", query=[("include_archived", "true")])
def get_by_ref(world: World) -> None:
    found = world.client.badgeclasses.get_by_ref(world.open_badge_id, include_archived=True)
    assert (found.entity_id, found.open_badge_id) == (world.badgeclass, world.open_badge_id)


@row("S1-07", "PUT", "/v2/badgeclasses/ref/{ref}", body=WHOLE_BADGECLASS)
def put_by_ref(world: World) -> None:
    is_whole_badgeclass(world.client.badgeclasses.update_by_ref(world.open_badge_id, whole_badgeclass()))


@row("S1-08", "DELETE", "/v2/badgeclasses/ref/{ref}", query=[("hard_delete", "true")])
def delete_by_ref(world: World) -> None:
    world.client.badgeclasses.delete_by_ref(world.open_badge_id, hard_delete=True)


@row(
    "S1-09",
    "GET",
    "/v2/issuers/{issuer}/assertions",
    query=[("recipient", ANN), ("include_expired", "1"), ("include_revoked", "1"), ("num", "5")],
)
def list_by_scope(world: World) -> None:
    made = world.award()
    world.award(BOB)
    found = world.client.assertions.of_issuer(
        world.issuer, [ANN.upper()], include_expired=True, include_revoked=True, num=5
    )
    assert [each.entity_id for each in found] == [made.entity_id]


@row(
    "S1-10",
    "POST",
    "/v2/issuers/{issuer}/assertions",
    body={**WHOLE_ASSERTION, "badgeclassOpenBadgeId": "{url}"},
)
def award_by_scope(world: World) -> None:
    assertion = whole_assertion(badgeclass_open_badge_id=world.open_badge_id)
    found = world.client.assertions.issue_by_issuer(world.issuer, assertion)
    assert found.badgeclass == world.badgeclass
    is_whole_assertion(found)


@row("S1-11", "GET", "/v2/issuers/{issuer}/badgeclasses", query=[("include_archived", "true")])
def list_by_issuer_with_archived(world: World) -> None:
    world.archived()
    found = world.client.badgeclasses.of_issuer(world.issuer, include_archived=True)
    assert [(each.entity_id, each.archived) for each in found] == [(world.badgeclass, True)]


@row("S1-12", "POST", "/v2/issuers/{issuer}/badgeclasses", body={**WHOLE_BADGECLASS, "issuer": "{issuer}"})
def create_by_issuer_named_twice(world: World) -> None:
    found = world.client.badgeclasses.create_of_issuer(world.issuer, whole_badgeclass(issuer=world.issuer))
    assert found.issuer == world.issuer
    is_whole_badgeclass(found)


@row("S1-13", "GET", "/v2/badgeclasses", query=[("include_archived", "true")])
def list_with_archived(world: World) -> None:
    world.archived()
    assert [each.entity_id for each in world.client.badgeclasses.all(include_archived=True)] == [
        world.badgeclass
    ]


@row("S1-14", "POST", "/v2/badgeclasses", body={**WHOLE_BADGECLASS, "issuer": "{issuer}"})
def create_whole(world: World) -> None:
    is_whole_badgeclass(world.client.badgeclasses.create(whole_badgeclass(issuer=world.issuer)))


@row("S1-15", "POST", "/v2/badgeclasses/{badgeclass}/duplicate", body={"newName": "Second steps"})
def duplicate(world: World) -> None:
    found = world.client.badgeclasses.duplicate(world.badgeclass, "Second steps")
    assert (found.name, found.description) == ("Second steps", "A start")
    assert found.entity_id != world.badgeclass


@row("S1-16", "GET", "/v2/badgeclasses/{badgeclass}/claim-codes", query=[("includeClaimCodeCount", "true")])
def list_codes(world: World) -> None:
    code = world.code()
    (found,) = world.client.claim_codes.of_badgeclass(world.badgeclass, include_count=True)
    assert (found.code, found.claim_count, found.enabled) == (code, 0, True)


@row("S1-17", "POST", "/v2/badgeclasses/{badgeclass}/claim-codes", body={"label": "Conference"})
def create_code(world: World) -> None:
    found = world.client.claim_codes.create(world.badgeclass, ClaimCodeIn(label="Conference"))
    assert (found.label, found.limit, found.badgeclass) == ("Conference", None, world.badgeclass)


@row("S1-18", "POST", "/v2/badgeclasses/reactivate/{badgeclass}")
def reactivate(world: World) -> None:
    world.archived()
    found = world.client.badgeclasses.reactivate(world.badgeclass)
    assert (found.entity_id, found.archived) == (world.badgeclass, False)


@row("S1-19", "POST", "/v2/badgeclasses/reactivate/ref/{ref}")
def reactivate_by_ref(world: World) -> None:
    world.archived()
    found = world.client.badgeclasses.reactivate_by_ref(world.open_badge_id)
    assert (found.entity_id, found.archived) == (world.badgeclass, False)


@row("S1-20", "PATCH", "/v2/badgeclasses/{badgeclass}/claim-codes/{code}/enable")
def enable_code(world: World) -> None:
    world.client.claim_codes.disable(world.badgeclass, world.code())
    assert world.client.claim_codes.enable(world.badgeclass, world.made["code"]).enabled is True


@row("S1-21", "PATCH", "/v2/badgeclasses/{badgeclass}/claim-codes/{code}/disable")
def disable_code(world: World) -> None:
    assert world.client.claim_codes.disable(world.badgeclass, world.code()).enabled is False
