"""How templates and badges look (S2-20 to S2-33, facts/seeds-and-apis.md section 8)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from worker.sandbox.store import Row

# A template as it is, unless its seed says otherwise.
_TEMPLATE: dict[str, Any] = {
    "primary_badge_template_id": None,
    "variant_name": None,
    "allow_duplicate_badges": False,
    "description": "",
    "default_expires_at": None,
    "default_expires_at_date": None,
    "default_expires_at_type": None,
    "earn_this_badge_url": None,
    "enable_earn_this_badge": False,
    "enable_detail_attribute_visibility": True,
    "global_activity_url": None,
    "lock_badge_state": False,
    "state": "active",
    "public": True,
    "recipient_type": "User",
    "send_expiring_badge_notifications": False,
    "settings_enable_related_badges": True,
    "show_badge_lmi": False,
    "show_lmi_jobs": False,
    "show_skill_tag_links": True,
    "record_to_blockchain": None,
    "translatable": False,
    "printing_disabled": False,
    "visibility": "public",
    "variants_allowed": False,
    "variant_type": None,
    "allow_delete": True,
    "allow_archive": False,
    "available_locales": [],
    "only_one_skill_required": False,
    "linkedin_share_default_message": None,
    "level": None,
    "time_to_earn": None,
    "cost": None,
    "type_category": None,
    "criteria_url_name": None,
    "criteria_url": None,
    "certification": False,
    "state_updated_at": None,
    "show_template_settings": False,
    "alignments": [],
    "recommendations": [],
    "required_badge_templates": [],
    "badge_template_activities": [],
    "skills": [],
    "endorsements": [],
    "reporting_tags": [],
}
_HIDDEN = {"collection_ids", "recommending_templates", "criterion_for"}


def moment(text: str | None) -> str | None:
    """Return a stored instant as Credly writes it: with milliseconds."""
    return None if text is None else text[:23] + "Z"


def slug(name: str) -> str:
    """Return a name as it stands in a URL."""
    return "-".join(name.lower().split())


def template_document(row: Row, base: str, issued: int) -> dict[str, Any]:
    """Return everything about a template, with what only filters and the single call use."""
    organization = row["organization"]
    fields: dict[str, Any] = json.loads(row["document"])
    made: dict[str, Any] = {
        "id": row["entity_id"],
        "name": row["name"],
        "vanity_slug": slug(row["name"]),
        "badges_count": issued,
        "get_issue_count": issued,
        "get_variants_issue_count": 0,
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
        "image": {"id": row["entity_id"], "url": f"/system/images/{row['entity_id']}/badge.png"},
        "image_url": f"{base}/media/uploads/badges/{row['entity_id']}.png",
        "url": f"{base}/org/{slug(organization)}/badge/{slug(row['name'])}",
        "owner": _organization(organization, base)
        | {"enable_blockchain": False, "vanity_slug": slug(organization), "viewable": True},
    }
    return _TEMPLATE | made | fields


def in_list(document: dict[str, Any]) -> dict[str, Any]:
    """Return a template as lists show it."""
    return {name: value for name, value in document.items() if name not in _HIDDEN}


def alone(document: dict[str, Any]) -> dict[str, Any]:
    """Return a template as the single call shows it (S2-33)."""
    more = {name: document.get(name, []) for name in ("recommending_templates", "criterion_for")}
    return in_list(document) | more | {"show_template_settings": True}


def badge_document(row: Row, template: dict[str, Any], base: str) -> dict[str, Any]:
    """Return an issued badge."""
    names = [row["first_name"], row["middle_name"], row["last_name"]]
    owner = _organization(row["organization"], base)
    page = f"{base}/badges/{row['entity_id']}"
    return {
        "id": row["entity_id"],
        "user": {},
        "created_by": owner,
        "issuer": {
            "summary": f"issued by {owner['name']}",
            "entities": [{"label": "Issued by", "primary": True, "entity": owner}],
        },
        "badge_template": in_list(template),
        "issued_to": " ".join(name for name in names if name),
        "issued_to_first_name": row["first_name"],
        "issued_to_middle_name": row["middle_name"],
        "issued_to_last_name": row["last_name"],
        "issuer_earner_id": row["earner"],
        "locale": row["locale"],
        "public": True,
        "recipient_email": row["recipient"],
        "replacement_badge_id": None,
        "replaces_badge_id": None,
        "revocation_reason": row["revocation_reason"],
        "state": row["state"],
        "suppress_badge_notification_email": not row["notify"],
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
        "expires_at": moment(row["expires_at"]),
        "issued_at": moment(row["issued_at"]),
        "issued_at_date": row["issued_at"][:10],
        "state_updated_at": moment(row["state_updated_at"]),
        "image": template["image"],
        "image_url": template["image_url"],
        "evidence": json.loads(row["evidence"]),
        "badge_url": page,
        "accept_badge_url": f"{page}/accept",
    }


def _organization(organization: str, base: str) -> dict[str, Any]:
    return {
        "type": "Organization",
        "id": organization,
        "name": organization,
        "url": f"{base}/v1/organizations/{organization}",
        "vanity_url": f"{base}/org/{slug(organization)}",
        "verified": True,
    }
