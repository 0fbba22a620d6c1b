"""What it takes to get from the stored badges to the definitions (design.md section 4), and for whom."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.rules.written import BADGE
from worker.applying import BadgeChange, Change, changes_between
from worker.ports import StoredBadge
from worker.rules.definitions import Badge, Definitions


def badge(**fields: Any) -> Badge:
    return Badge.model_validate(BADGE | fields)


def stored(**badges: Badge) -> list[StoredBadge]:
    return [StoredBadge(badge_id, 1, each.model_dump(mode="json")) for badge_id, each in badges.items()]


def defined(**badges: Badge) -> Definitions:
    return Definitions({}, badges)


PLAIN = badge()
DISABLED = badge(status="disabled")
OTHER_CRITERION = badge(criteria={"social_engagement": {"threshold": 3}})
RETITLED = badge(title="Very first steps")
ISSUED = badge(issue={"issuer": "academy", "badgeclass": "c1"})


@pytest.mark.parametrize(
    ("old", "new", "change", "backfill"),
    [
        pytest.param(None, PLAIN, Change.ADDED, True, id="added"),
        pytest.param(None, DISABLED, Change.ADDED, False, id="added-disabled"),
        pytest.param(PLAIN, OTHER_CRITERION, Change.CHANGED, True, id="another-criterion"),
        pytest.param(PLAIN, RETITLED, Change.CHANGED, False, id="another-title"),
        pytest.param(PLAIN, ISSUED, Change.CHANGED, False, id="an-issuer"),
        pytest.param(PLAIN, DISABLED, Change.DISABLED, False, id="disabled"),
        pytest.param(DISABLED, PLAIN, Change.CHANGED, True, id="published-again"),
        pytest.param(
            DISABLED,
            badge(status="disabled", title="Old"),
            Change.CHANGED,
            False,
            id="changed-disabled",
        ),
    ],
)
def test_a_badge_is(old: Badge | None, new: Badge, change: Change, backfill: bool) -> None:
    before = stored(b=old) if old else []

    assert changes_between(before, defined(b=new)) == [BadgeChange("b", change, new, backfill)]


def test_what_did_not_change_is_no_change() -> None:
    assert changes_between(stored(a=PLAIN, b=DISABLED), defined(a=PLAIN, b=DISABLED)) == []


def test_a_badge_that_is_missing_is_disabled_and_keeps_its_fields() -> None:
    (change,) = changes_between(stored(b=ISSUED), defined())

    gone = badge(issue={"issuer": "academy", "badgeclass": "c1"}, status="disabled")
    assert change == BadgeChange("b", Change.DISABLED, gone, backfill=False)


def test_a_badge_that_is_missing_and_disabled_already_is_no_change() -> None:
    assert changes_between(stored(b=DISABLED), defined()) == []


def test_a_badge_that_comes_back_is_evaluated_anew() -> None:
    (gone,) = changes_between(stored(b=PLAIN), defined())

    back = changes_between(stored(b=gone.badge), defined(b=PLAIN))

    assert back == [BadgeChange("b", Change.CHANGED, PLAIN, backfill=True)]


def test_changes_come_in_the_order_of_their_ids() -> None:
    changes = changes_between(stored(c=PLAIN, a=PLAIN), defined(d=PLAIN, b=PLAIN, c=RETITLED))

    assert [(each.badge_id, each.change.value) for each in changes] == [
        ("a", "disabled"),
        ("b", "added"),
        ("c", "changed"),
        ("d", "added"),
    ]
