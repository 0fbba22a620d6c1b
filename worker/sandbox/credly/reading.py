"""A badge as it is sent: five required fields, and others (facts/seeds-and-apis.md section 8)."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from worker.sandbox.credly.answers import invalid
from worker.sandbox.fields import is_email
from worker.sandbox.moments import parse_moment, stored

_REQUIRED = (
    "recipient_email",
    "issued_to_first_name",
    "issued_to_last_name",
    "badge_template_id",
    "issued_at",
)
_LOCALES = {"en", "fr", "de", "ko", "ja", "zh-CN", "pt", "es-ES", "es-US", "fr-CA", "pt-BR"}


def read_badge(body: dict[str, Any]) -> dict[str, Any]:
    """Return a badge as it is kept; raises Problem naming every field that is wrong. Others are ignored."""
    errors: dict[str, list[str]] = {
        name: ["can't be blank"] for name in _REQUIRED if not _text(body.get(name))
    }
    recipient = _text(body.get("recipient_email")).lower()
    if recipient and not is_email(recipient):
        errors["recipient_email"] = ["is invalid"]
    issued_at, expires_at = _moment(body.get("issued_at")), _moment(body.get("expires_at"))
    if "issued_at" not in errors and issued_at is None:
        errors["issued_at"] = ["is not a valid date"]
    if body.get("expires_at") not in (None, False) and expires_at is None:
        errors["expires_at"] = ["is not a valid date"]
    if body.get("locale") not in {None, *_LOCALES}:
        errors["locale"] = ["is not included in the list"]
    if not _good_evidence(body.get("evidence")):
        errors["evidence"] = ["is invalid"]
    if errors:
        raise invalid("Validation failed", **errors)
    return {
        "template": _text(body["badge_template_id"]),
        "recipient": recipient,
        "earner": _text(body.get("issuer_earner_id")) or None,
        "first_name": _text(body["issued_to_first_name"]),
        "middle_name": _text(body.get("issued_to_middle_name")) or None,
        "last_name": _text(body["issued_to_last_name"]),
        "locale": body.get("locale") or "en",
        "issued_at": issued_at,
        "expires_at": expires_at,
        "evidence": json.dumps(body.get("evidence") or []),
        "message": body.get("notification_message"),
        "notify": int(not body.get("suppress_badge_notification_email")),
    }


def _text(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _moment(value: Any) -> str | None:
    """Return an instant as the store keeps it, to the second, or None."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.strptime(value, "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        read = parse_moment(value)
        if read is None:
            return None
        moment = read
    return stored(moment.replace(microsecond=0))


def _good_evidence(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, list) and all(_good_item(item) for item in value)


def _good_item(item: Any) -> bool:
    if not isinstance(item, dict) or item.get("type") not in {"UrlEvidence", "IdEvidence"}:
        return False
    return item["type"] == "IdEvidence" or re.match(r"https?://[^\s/]", str(item.get("value"))) is not None
