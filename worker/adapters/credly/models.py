"""What Credly answers, as far as it is known (S2-20 to S2-33); what else is in an answer is ignored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

T = TypeVar("T")


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _many(value: Any) -> Any:
    return () if value is None else value


Moment = Annotated[datetime, AfterValidator(_utc)]
Many = Annotated[tuple[T, ...], BeforeValidator(_many)]
Flag = Annotated[bool, BeforeValidator(bool)]  # null is no
Words = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


class Answered(BaseModel):
    """Something that is read, and never changed."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Metadata(Answered):
    """Where in a list a page stands (S2-20)."""

    count: int | None = None
    current_page: int = 1
    total_count: int | None = None
    total_pages: int | None = None
    per: int | None = None
    previous_page_url: str | None = None
    next_page_url: str | None = None


class Page(Answered, Generic[T]):
    """One page of a list."""

    data: tuple[T, ...]
    metadata: Metadata

    @property
    def is_last(self) -> bool:
        """Return whether no page follows."""
        stands = self.metadata
        if stands.total_pages is None:
            return not self.data or stands.next_page_url is None
        return not self.data or stands.current_page >= stands.total_pages


class Single(Answered, Generic[T]):
    """One thing."""

    data: T


class Image(Answered):
    """A picture; its `url` may be relative, so the template's `image_url` is the one to use (X-40)."""

    id: str | None = None
    url: str | None = None


class Owner(Answered):
    """The organization that a template belongs to (S2-26)."""

    type: str | None = None
    id: str | None = None
    name: str | None = None
    enable_blockchain: Flag = False
    url: str | None = None
    vanity_url: str | None = None
    vanity_slug: str | None = None
    verified: Flag = False
    viewable: Flag = False


class Alignment(Answered):
    """A standard that a template is aligned to (S2-27)."""

    id: str | None = None
    name: str | None = None
    url: str | None = None
    description: str | None = None


_RECOMMENDED = ("recommended_badge_template_", "recommended_badg_template_")


def _recommended(name: str) -> Any:
    """Read a field of the related template under both of its spellings (X-38)."""
    return Field(default=None, validation_alias=AliasChoices(*(start + name for start in _RECOMMENDED)))


class Recommendation(Answered):
    """What an earner may do next (S2-28); of type `badge`, with the related template (S2-29)."""

    id: str | None = None
    title: str | None = None
    type: str | None = None
    activity_url: str | None = None
    recommended_badge_template_id: str | None = _recommended("id")
    recommended_badge_template_name: str | None = _recommended("name")
    recommended_badge_template_url: str | None = _recommended("url")


class Activity(Answered):
    """What an earner has to do (S2-30); of type `Badge`, to hold the badge of another template."""

    id: str | None = None
    title: str | None = None
    activity_type: str | None = None
    activity_url: str | None = None
    required_badge_template_id: str | None = None
    required_badge_template_name: str | None = None
    required_badge_template_url: str | None = None


class Template(Answered):
    """A badge template, as list and single call answer it."""

    # What it is (S2-21)
    id: Annotated[str, Field(min_length=1)]
    name: str = ""
    description: str | None = None
    vanity_slug: str | None = None
    url: str | None = None
    primary_badge_template_id: str | None = None
    variant_name: str | None = None
    variants_allowed: Flag = False
    variant_type: str | None = None
    recipient_type: str | None = None
    # How it stands (S2-22)
    state: str = ""
    state_updated_at: Moment | None = None
    public: Flag = False
    visibility: str | None = None
    lock_badge_state: Flag = False
    allow_delete: Flag = False
    allow_archive: Flag = False
    created_at: Moment | None = None
    updated_at: Moment | None = None
    # Issuing rules (S2-23); whether duplicates are refused is never assumed, but read here
    allow_duplicate_badges: Flag = False
    default_expires_at: Any = None
    default_expires_at_date: Any = None
    default_expires_at_type: str | None = None
    badges_count: int | None = None
    get_issue_count: int | None = None
    get_variants_issue_count: int | None = None
    record_to_blockchain: bool | None = None
    send_expiring_badge_notifications: Flag = False
    certification: Flag = False
    # How it is earned (S2-24)
    enable_earn_this_badge: Flag = False
    earn_this_badge_url: str | None = None
    criteria_url: str | None = None
    criteria_url_name: str | None = None
    global_activity_url: str | None = None
    # How it is shown (S2-25)
    image: Image | None = None
    image_url: str | None = None
    level: str | None = None
    time_to_earn: str | None = None
    cost: str | None = None
    type_category: str | None = None
    show_badge_lmi: Flag = False
    show_lmi_jobs: Flag = False
    show_skill_tag_links: Flag = False
    show_template_settings: Flag = False
    enable_detail_attribute_visibility: Flag = False
    settings_enable_related_badges: Flag = False
    printing_disabled: Flag = False
    translatable: Flag = False
    available_locales: Many[str] = ()
    linkedin_share_default_message: str | None = None
    only_one_skill_required: Flag = False
    # What belongs to it (S2-26 to S2-31, S2-33)
    owner: Owner | None = None
    alignments: Many[Alignment] = ()
    recommendations: Many[Recommendation] = ()
    badge_template_activities: Many[Activity] = ()
    required_badge_templates: Many[Any] = ()
    skills: Many[str] = ()
    endorsements: Many[Any] = ()
    reporting_tags: Many[str] = ()
    recommending_templates: Many[Any] = ()
    criterion_for: Many[Any] = ()

    @property
    def is_active(self) -> bool:
        """Return whether it can be issued (S2-34)."""
        return self.state == "active"


class TemplateOfBadge(Answered):
    """The template in an issued badge: no more of it than is needed."""

    id: Words = ""


class Badge(Answered):
    """An issued badge; its states are pending, accepted, rejected and revoked."""

    id: Annotated[str, Field(min_length=1)]
    state: Words = ""
    badge_template: Annotated[TemplateOfBadge, BeforeValidator(lambda value: value or {})] = TemplateOfBadge()
    recipient_email: Annotated[Words, Field(repr=False)] = ""
    issuer_earner_id: str | None = None
    issued_at: Moment | None = None
    expires_at: Moment | None = None
    revocation_reason: str | None = None
    badge_url: str | None = None
    accept_badge_url: str | None = None

    @property
    def is_revoked(self) -> bool:
        """Return whether it was revoked."""
        return self.state == "revoked"
