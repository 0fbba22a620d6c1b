"""Every row of seed 002: what arrives at the service, and what is read of its answer.

The rows are S2-01 to S2-34 of the template catalogue. The sandbox shares no code with the client.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.recording import Arrived, recording
from worker.adapters.credly import BadgeFilter, CredlyProvider, TemplateFilter
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.awards import Assertion, Grant, Refusal, RefusalKind
from worker.errors import ConfigurationError, Refused
from worker.sandbox import SandboxOptions, SeedTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.adapters.credly.models import Template

ORG, MANY = "3978643a-fbf7-423c-865e-d011dd2428d8", "an organization with 120"
PATH = f"/v1/organizations/{ORG}/badge_templates"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
TOKEN = "a-token"

# Everything that a template can show, with what a related one and a required one add to it.
WHOLE: dict[str, Any] = {
    "description": "Hits what is aimed at",
    "created_at": "2014-04-01T14:41:00.000Z",
    "updated_at": "2015-04-01T14:41:00.000Z",
    "state_updated_at": "2014-05-01T14:41:00.000Z",
    "default_expires_at": 2,
    "default_expires_at_date": None,
    "default_expires_at_type": "years",
    "enable_earn_this_badge": True,
    "earn_this_badge_url": "https://example.org/earn",
    "criteria_url": "https://example.org/criteria",
    "criteria_url_name": "Criteria",
    "global_activity_url": "https://example.org/activity",
    "level": "Advanced",
    "time_to_earn": "Years",
    "cost": "Paid",
    "type_category": "Experience",
    "certification": True,
    "record_to_blockchain": True,
    "available_locales": ["en", "fr"],
    "linkedin_share_default_message": "Look",
    "reporting_tags": ["sport", "outdoors"],
    "skills": ["Aiming", "Patience"],
    "endorsements": [{"id": "e1"}],
    "required_badge_templates": [{"id": "chess"}],
    "alignments": [{"id": "al1", "name": "Standard", "url": "https://example.org/s", "description": "Old"}],
    "recommendations": [
        {"id": "r1", "title": "Read on", "type": "information", "activity_url": "https://example.org/read"},
        {
            "id": "r2",
            "title": "Chess",
            "type": "badge",
            "recommended_badge_template_id": "chess",
            "recommended_badge_template_name": "Chess",
            "recommended_badg_template_url": "https://example.org/chess",
        },
    ],
    "badge_template_activities": [
        {"id": "a1", "title": "Shoot", "activity_type": "Award", "activity_url": "https://example.org/shoot"},
        {
            "id": "a2",
            "title": "Chess",
            "activity_type": "Badge",
            "activity_url": None,
            "required_badge_template_id": "chess",
            "required_badge_template_name": "Chess",
            "required_badge_template_url": "https://example.org/chess",
        },
    ],
    "recommending_templates": [{"id": "chess"}],
    "criterion_for": [{"id": "fencing"}],
    "collection_ids": ["c1"],
    "a_field_of_tomorrow": {"deep": ["down"]},
}
SEEDS = (
    SeedTemplate("archery", "Archery", ORG, WHOLE),
    SeedTemplate(
        "chess",
        "Speed Chess",
        ORG,
        {
            "description": "Not archery",
            "public": False,
            "skills": ["Patience"],
            "reporting_tags": ["indoors"],
            "allow_duplicate_badges": True,
            "created_at": "2016-01-01T00:00:00.000Z",
            "updated_at": "2016-01-02T00:00:00.000Z",
            "recommendations": [{"id": "r3", "title": "Rest", "type": "information"}],
            "owner": {"type": "Organization", "id": "partner-org", "name": "Partner"},
            "collection_ids": ["c2"],
        },
    ),
    SeedTemplate(
        "fencing",
        "Chess",
        ORG,
        {
            "state": "draft",
            "created_at": "2017-01-01T00:00:00.000Z",
            "updated_at": "2017-01-01T00:00:00.000Z",
        },
    ),
    SeedTemplate(
        "rowing",
        "Rowing",
        ORG,
        {
            "state": "archived",
            "created_at": "2018-01-01T00:00:00.000Z",
            "updated_at": "2018-01-01T00:00:00.000Z",
        },
    ),
    *(SeedTemplate(f"t{number:03}", f"Template {number:03}", MANY) for number in range(120)),
)


@dataclass
class World:
    url: str
    arrived: list[Arrived]
    provider: CredlyProvider

    def of(self, organization: str) -> CredlyProvider:
        return provider_at(self.url, organization)


def provider_at(url: str, organization: str = ORG) -> CredlyProvider:
    permits = MemoryPermits({"partner": RateLimit(1000, 60, 30)})
    return CredlyProvider("partner", f"{url}/v1", organization, TOKEN, permits, 30)


def world_at(url: str, arrived: list[Arrived]) -> World:
    return World(url, arrived, provider_at(url))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[tuple[str, list[Arrived]]]:
    people = {"ada@home.example": "ada@example.org"}
    options = SandboxOptions(rate_limit=None, templates=SEEDS, people=people)
    with recording(options) as running_one:
        yield running_one


@pytest.fixture
def world(sandbox: tuple[str, list[Arrived]]) -> World:
    return world_at(*sandbox)


@dataclass(frozen=True)
class Listing:
    """A row about the list: what is asked, the query that arrives, and who is found."""

    id: str
    wanted: TemplateFilter
    filter: str
    found: list[str]
    sort: tuple[str, ...] = ()


def rows() -> Iterator[Listing]:
    every = ["archery", "chess", "fencing", "rowing"]
    yield Listing("S2-01", TemplateFilter(), "", every)
    both = TemplateFilter(query="archery", state=["active"])
    yield Listing("S2-02", both, "query::archery|state::active", ["archery", "chess"])
    yield Listing("S2-03", TemplateFilter(query="aimed"), "query::aimed", ["archery"])
    yield Listing("S2-04 part", TemplateFilter(name="chess"), "name::chess", ["chess", "fencing"])
    yield Listing("S2-04 strict", TemplateFilter(exact_name="Chess"), 'name::"Chess"', ["fencing"])
    yield Listing("S2-05 true", TemplateFilter(public=True), "public::true", ["archery", "fencing", "rowing"])
    yield Listing("S2-05 false", TemplateFilter(public=False), "public::false", ["chess"])
    tags = TemplateFilter(reporting_tags=["outdoors", "indoors"])
    yield Listing("S2-06", tags, "reporting_tags::outdoors,indoors", ["archery", "chess"])
    wanted = TemplateFilter(recommendation_ids=["r1", "r9"])
    yield Listing("S2-07", wanted, "recommendation_ids::r1,r9", ["archery"])
    skills = TemplateFilter(skills=["Aiming", "Running"])
    yield Listing("S2-08", skills, "skills::Aiming,Running", ["archery"])
    states = TemplateFilter(state=["archived", "draft"])
    yield Listing("S2-09", states, "state::archived,draft", ["fencing", "rowing"])
    year = date(2017, 1, 1)
    since, until = TemplateFilter(created_at_min=year), TemplateFilter(created_at_max=year)
    yield Listing("S2-10", since, "created_at_min::2017-01-01", ["fencing", "rowing"])
    yield Listing("S2-11", until, "created_at_max::2017-01-01", ["archery", "chess", "fencing"])
    since, until = TemplateFilter(updated_at_min=year), TemplateFilter(updated_at_max=year)
    yield Listing("S2-12", since, "updated_at_min::2017-01-01", ["fencing", "rowing"])
    yield Listing("S2-13", until, "updated_at_max::2017-01-01", ["archery", "chess", "fencing"])
    owners = TemplateFilter(owner_id=["partner-org", "nobody"])
    yield Listing("S2-14", owners, "owner_id::partner-org,nobody", ["chess"])
    yield Listing("S2-15", TemplateFilter(collection_id=["c1"]), "collection_id::c1", ["archery"])
    falling = ["chess", "rowing", "fencing", "archery"]
    yield Listing("S2-16", TemplateFilter(), "", falling, sort=("-name",))
    yield Listing("S2-17 created", TemplateFilter(), "", every, sort=("created_at",))
    yield Listing("S2-17 updated", TemplateFilter(), "", every[::-1], sort=("-updated_at",))
    active = TemplateFilter(state=["active"])
    yield Listing("S2-34", active, "state::active", ["archery", "chess"])


LISTINGS = list(rows())


@pytest.mark.parametrize("row", LISTINGS, ids=lambda row: row.id)
def test_each_filter_and_each_order_arrives_and_finds_its_templates(world: World, row: Listing) -> None:

    found = [template.id for template in world.provider.templates.all(row.wanted, row.sort)]

    call = world.arrived[-1]
    expected = [("filter", row.filter)] if row.filter else []
    expected += [("sort", "|".join(row.sort))] if row.sort else []
    assert (call.method, call.path) == ("GET", PATH)
    assert call.query == [*expected, ("page", "1")]
    assert found == row.found


def test_templates_are_ordered_by_how_often_they_were_issued() -> None:
    """S2-17."""
    with recording(SandboxOptions(rate_limit=None, templates=SEEDS)) as (url, arrived):
        world = world_at(url, arrived)
        for user_id, template in (("a", "archery"), ("b", "archery"), ("a", "chess")):
            issue(world, user_id, template)
        sort = ["-badges_count", "name"]
        found = [(each.id, each.badges_count) for each in world.provider.templates.all(sort=sort)]

    assert found == [("archery", 2), ("chess", 1), ("fencing", 0), ("rowing", 0)]
    assert dict(arrived[-1].query)["sort"] == "-badges_count|name"


def test_lists_are_read_page_by_page_fifty_each(world: World) -> None:
    """S2-18, S2-19."""
    provider = world.of(MANY)

    found = [template.id for template in provider.templates.all(sort=["-name"])]

    pages = [dict(call.query)["page"] for call in world.arrived[-3:]]
    assert found == [f"t{number:03}" for number in reversed(range(120))]
    assert pages == ["1", "2", "3"]
    assert world.arrived[-1].path == "/v1/organizations/an%20organization%20with%20120/badge_templates"


def test_a_page_says_where_it_stands(world: World) -> None:
    """S2-20."""
    page = world.of(MANY).templates.page(TemplateFilter(state=["active"]), number=2)

    stands = page.metadata
    assert (stands.count, stands.current_page, stands.total_count) == (50, 2, 120)
    assert (stands.total_pages, stands.per) == (3, 50)
    assert stands.previous_page_url is not None
    assert stands.next_page_url is not None
    assert stands.previous_page_url.endswith("page=1")
    assert stands.next_page_url.endswith("page=3")
    assert not page.is_last


def in_list(world: World) -> Template:
    (found,) = world.provider.templates.all(TemplateFilter(exact_name="Archery"))
    return found


def alone(world: World) -> Template:
    found = world.provider.templates.get("archery")
    assert found is not None
    return found


Fields = dict[str, Any]
ROWS: dict[str, Fields] = {
    "S2-21": {
        "id": "archery",
        "name": "Archery",
        "description": "Hits what is aimed at",
        "vanity_slug": "archery",
        "primary_badge_template_id": None,
        "variant_name": None,
        "variants_allowed": False,
        "variant_type": None,
        "recipient_type": "User",
    },
    "S2-22": {
        "state": "active",
        "state_updated_at": datetime(2014, 5, 1, 14, 41, tzinfo=UTC),
        "public": True,
        "visibility": "public",
        "lock_badge_state": False,
        "allow_delete": True,
        "allow_archive": False,
        "created_at": datetime(2014, 4, 1, 14, 41, tzinfo=UTC),
        "updated_at": datetime(2015, 4, 1, 14, 41, tzinfo=UTC),
    },
    "S2-23": {
        "allow_duplicate_badges": False,
        "default_expires_at": 2,
        "default_expires_at_date": None,
        "default_expires_at_type": "years",
        "get_variants_issue_count": 0,
        "record_to_blockchain": True,
        "send_expiring_badge_notifications": False,
        "certification": True,
    },
    "S2-24": {
        "enable_earn_this_badge": True,
        "earn_this_badge_url": "https://example.org/earn",
        "criteria_url": "https://example.org/criteria",
        "criteria_url_name": "Criteria",
        "global_activity_url": "https://example.org/activity",
    },
    "S2-25": {
        "level": "Advanced",
        "time_to_earn": "Years",
        "cost": "Paid",
        "type_category": "Experience",
        "show_badge_lmi": False,
        "show_lmi_jobs": False,
        "show_skill_tag_links": True,
        "enable_detail_attribute_visibility": True,
        "settings_enable_related_badges": True,
        "printing_disabled": False,
        "translatable": False,
        "available_locales": ("en", "fr"),
        "linkedin_share_default_message": "Look",
        "only_one_skill_required": False,
    },
    "S2-31": {
        "required_badge_templates": ({"id": "chess"},),
        "skills": ("Aiming", "Patience"),
        "endorsements": ({"id": "e1"},),
        "reporting_tags": ("sport", "outdoors"),
    },
}


@pytest.mark.parametrize("read", [in_list, alone])
@pytest.mark.parametrize("row", ROWS)
def test_each_field_of_a_template_is_read(row: str, read: Callable[[World], Template], world: World) -> None:
    template = read(world)

    assert {name: getattr(template, name) for name in ROWS[row]} == ROWS[row]


@pytest.mark.parametrize("read", [in_list, alone])
def test_the_picture_to_use_is_the_absolute_one(read: Callable[[World], Template], world: World) -> None:
    """S2-25, X-40."""
    template = read(world)

    assert template.image_url is not None
    assert template.image_url.startswith("http://")
    assert template.image is not None
    assert template.image.url == "/system/images/archery/badge.png"


@pytest.mark.parametrize("read", [in_list, alone])
def test_what_belongs_to_a_template_is_read(read: Callable[[World], Template], world: World) -> None:
    """S2-26 to S2-30, X-38."""
    template = read(world)

    owner, (alignment,) = template.owner, template.alignments
    (read_on, related), (shoot, required) = template.recommendations, template.badge_template_activities
    assert owner is not None
    assert (owner.type, owner.id, owner.verified, owner.viewable) == ("Organization", ORG, True, True)
    assert (alignment.name, alignment.description) == ("Standard", "Old")
    assert (read_on.type, read_on.activity_url) == ("information", "https://example.org/read")
    assert related.recommended_badge_template_id == "chess"
    assert related.recommended_badge_template_name == "Chess"
    assert related.recommended_badge_template_url == "https://example.org/chess"
    assert (shoot.activity_type, shoot.required_badge_template_id) == ("Award", None)
    assert required.required_badge_template_id == "chess"
    assert required.required_badge_template_url == "https://example.org/chess"


def test_one_template_is_asked_for_by_its_id(world: World) -> None:
    """S2-32."""
    template = alone(world)

    assert template.id == "archery"
    assert (world.arrived[-1].method, world.arrived[-1].path) == ("GET", f"{PATH}/archery")
    assert world.provider.templates.get("no where?") is None
    assert world.arrived[-1].path == f"{PATH}/no%20where%3F"


def test_the_single_call_shows_more(world: World) -> None:
    """S2-33."""
    one, many = alone(world), in_list(world)

    assert (one.recommending_templates, one.criterion_for) == (({"id": "chess"},), ({"id": "fencing"},))
    assert one.show_template_settings
    assert (many.recommending_templates, many.criterion_for) == ((), ())
    assert not many.show_template_settings


@pytest.mark.parametrize(("template", "state"), [("fencing", "draft"), ("rowing", "archived")])
def test_only_active_templates_are_issued(world: World, template: str, state: str) -> None:
    """S2-34."""
    (outcome,) = world.provider.issue(template, [grant("inactive")], nothing)

    words = f"template {template} is {state}: only active ones can be issued"
    assert outcome == Refusal(RefusalKind.PERMANENT, words)
    assert world.arrived[-1].method == "GET"
    with pytest.raises(ConfigurationError, match=f"{template} is {state}.*; activate it at Credly"):
        world.provider.badgeclass_exists(template)


def test_no_row_is_missing() -> None:
    tested = {row.id.split()[0] for row in LISTINGS} | ROWS.keys()
    alone = {"S2-18", "S2-19", "S2-20", "S2-26", "S2-27", "S2-28", "S2-29", "S2-30", "S2-32", "S2-33"}

    assert tested | alone == {f"S2-{number:02}" for number in range(1, 35)}


# Issuing (facts/seeds-and-apis.md section 8)


def nothing() -> None:
    """Have no last word before the call."""


def grant(name: str, /, **more: Any) -> Grant:
    whole: dict[str, Any] = {"recipient": f"{name}@Example.org", "issued_on": NOON, "user_id": name}
    names = {"first_name": "Ada", "last_name": "Lovelace"}
    return Grant(**whole | names | more)


def issue(world: World, user_id: str, template: str = "archery", **more: Any) -> Assertion:
    (made,) = world.provider.issue(template, [grant(user_id, **more)], nothing)
    assert isinstance(made, Assertion)
    return made


def test_a_badge_is_sent_with_its_five_fields_and_our_user_id(world: World) -> None:
    made = issue(world, "bob")

    call = world.arrived[-1]
    assert (call.method, call.path) == ("POST", f"/v1/organizations/{ORG}/badges")
    assert call.body == {
        "recipient_email": "bob@example.org",
        "issued_to_first_name": "Ada",
        "issued_to_last_name": "Lovelace",
        "badge_template_id": "archery",
        "issued_at": "2026-01-31 12:00:00 +0000",
        "issuer_earner_id": "bob",
        "suppress_badge_notification_email": True,
    }
    assert (made.recipient, made.issued_on, made.expires) == ("bob@example.org", NOON, None)
    assert made.url.endswith(made.assertion_id)


def test_everything_else_of_a_grant_is_sent_where_credly_has_a_field(world: World) -> None:
    evidence = ({"url": "https://example.org/e", "narrative": "Seen"}, {"url": "https://example.org/f"})
    issue(
        world,
        "cid",
        issued_on=datetime.fromisoformat("2026-01-31T12:00:00.999999+05:30"),
        expires=NOON + timedelta(days=365),
        narrative="*Well* done",
        evidence=(*evidence, {"narrative": "only words"}),
        notify=True,
    )

    sent = world.arrived[-1].body
    assert sent["issued_at"] == "2026-01-31 06:30:00 +0000"
    assert sent["expires_at"] == "2027-01-31 12:00:00 +0000"
    assert sent["notification_message"] == "*Well* done"
    assert sent["suppress_badge_notification_email"] is False
    assert sent["evidence"] == [
        {
            "type": "UrlEvidence",
            "value": "https://example.org/e",
            "name": "https://example.org/e",
            "description": "Seen",
        },
        {"type": "UrlEvidence", "value": "https://example.org/f", "name": "https://example.org/f"},
    ]


def test_every_call_is_signed_in_with_the_token_and_a_colon(world: World) -> None:
    """X-45."""
    world.provider.check()

    (kind, coded), accept = (
        world.arrived[-1].headers["authorization"].split(" "),
        world.arrived[-1].headers["accept"],
    )
    assert (kind, base64.b64decode(coded).decode()) == ("Basic", f"{TOKEN}:")
    assert accept == "application/json"


def test_the_template_of_a_row_of_badges_is_read_once(world: World) -> None:
    before = len(world.arrived)
    for number in range(3):
        issue(world, f"row-{number}")

    assert [call.method for call in world.arrived[before:]] == ["GET", "POST", "POST", "POST"]


@pytest.mark.parametrize(
    ("again", "address"),
    [
        pytest.param({}, "{0}@example.org", id="same-address-and-user"),
        pytest.param({"user_id": "another"}, "{0}@example.org", id="same-address"),
        pytest.param({"recipient": "moved@example.org"}, "{0}@example.org", id="same-user"),
    ],
)
def test_vector_30_a_duplicate_is_found_and_said_to_be_there(
    world: World, again: dict[str, Any], address: str, request: pytest.FixtureRequest
) -> None:
    user_id = f"dup-{request.node.callspec.id}"
    made = issue(world, user_id)

    (outcome,) = world.provider.issue("archery", [grant(user_id, **again)], nothing)

    words = "User already has this badge"
    assert outcome == Refusal(RefusalKind.DUPLICATE, words, made)
    assert made.recipient == address.format(user_id)


def test_a_duplicate_of_another_address_of_the_same_person_is_for_a_person_to_mend(world: World) -> None:
    """Which of two addresses are one person's only Credly knows: nothing of ours finds that badge."""
    issue(world, "ada")

    (outcome,) = world.provider.issue("archery", [grant("somebody", recipient="ada@home.example")], nothing)

    assert outcome == Refusal(RefusalKind.PERMANENT, "User already has this badge")


def test_where_duplicates_are_allowed_we_look_first(world: World) -> None:
    made = issue(world, "twin", "chess")
    before = len(world.arrived)

    (outcome,) = world.provider.issue("chess", [grant("twin")], nothing)

    assert isinstance(outcome, Refusal)
    assert (outcome.kind, outcome.found) == (RefusalKind.DUPLICATE, made)
    assert [call.method for call in world.arrived[before:]] == ["GET"]
    assert dict(world.arrived[-1].query)["filter"] == "badge_template_id::chess|issuer_earner_id::twin"


def test_a_refused_field_is_named(world: World) -> None:
    (outcome,) = world.provider.issue("archery", [grant("nobody", recipient="nobody")], nothing)

    assert outcome == Refusal(RefusalKind.PERMANENT, "Validation failed; recipient_email: is invalid")


def test_without_names_nothing_is_sent(world: World) -> None:
    (outcome,) = world.provider.issue("archery", [grant("nameless", last_name=None)], nothing)

    assert outcome == Refusal(RefusalKind.PERMANENT, "Credly wants a first and a last name")
    assert world.arrived[-1].method == "GET"


def test_an_unknown_template_or_organization_is_refused_by_name(world: World) -> None:
    with pytest.raises(Refused, match="template nothing is unknown"):
        world.provider.issue("nothing", [grant("x")], nothing)
    with pytest.raises(Refused, match="organization elsewhere is unknown"):
        world.of("elsewhere").check()


def test_an_address_with_a_plus_or_a_bar_is_found(world: World) -> None:
    """A bar joins filters, so no filter can hold one; the badge is found in the longer list."""
    made = [issue(world, name) for name in ("a+b", "a|b")]

    found = world.provider.find("archery", ["A+B@example.org", "a|b@example.org"])

    filters = [dict(call.query)["filter"] for call in world.arrived[-2:]]
    assert found == made
    assert filters == [
        "badge_template_id::archery|recipient_email::a+b@example.org",
        "badge_template_id::archery",
    ]


def test_a_badge_is_revoked_quietly_with_its_reason(world: World) -> None:
    """X-44."""
    made = issue(world, "gone")

    outcomes = world.provider.revoke([(made.assertion_id, "mistake")], nothing)

    call = world.arrived[-1]
    (found,) = world.provider.find("archery", ["gone@example.org"])
    assert outcomes == [None]
    assert (call.method, call.path) == (
        "PUT",
        f"/v1/organizations/{ORG}/badges/{made.assertion_id}/revoke",
    )
    assert call.body == {"reason": "mistake", "suppress_revoke_notification_email": True}
    assert (found.revoked, found.revocation_reason) == (True, "mistake")


def test_revoking_again_is_done_and_what_is_not_there_is_said(world: World) -> None:
    made = issue(world, "again")
    world.provider.revoke([(made.assertion_id, "mistake")], nothing)

    again, unknown = world.provider.revoke([(made.assertion_id, "once more"), ("nothing", "x")], nothing)

    assert again is None
    assert isinstance(unknown, Refusal)
    assert unknown.kind is RefusalKind.PERMANENT
    assert "could not be found" in unknown.words


def test_issued_badges_are_listed_by_filter_and_in_order(world: World) -> None:
    for name in ("list-b", "list-a"):
        issue(world, name, "chess")

    wanted = BadgeFilter(query="list-", state=["pending"], template="chess")
    found = [badge.issuer_earner_id for badge in world.provider.badges.all(wanted, ["-issued_at"])]

    assert sorted(found, key=str) == ["list-a", "list-b"]
    assert dict(world.arrived[-1].query) == {
        "filter": "query::list-|state::pending|badge_template_id::chess",
        "sort": "-issued_at",
        "page": "1",
    }


@pytest.mark.parametrize(
    "wanted",
    [
        TemplateFilter(query="a|b"),
        TemplateFilter(skills=["a,b"]),
        TemplateFilter(name="a", exact_name="b"),
    ],
)
def test_what_a_filter_cannot_say_is_not_sent(world: World, wanted: TemplateFilter) -> None:
    before = len(world.arrived)

    with pytest.raises(ConfigurationError):
        list(world.provider.templates.all(wanted))

    assert len(world.arrived) == before


def test_an_unknown_order_is_not_sent(world: World) -> None:
    with pytest.raises(ConfigurationError, match="sort: colour is unknown"):
        world.provider.templates.page(sort=["-name", "colour"])
