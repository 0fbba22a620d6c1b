"""Who calls: HTTP Basic with an authorization token as user name and no password."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.sandbox.options import SandboxOptions


def account_of(authorization: str | None, options: SandboxOptions) -> str | None:
    """Return the account behind an Authorization header: any token is one, unless it was refused."""
    kind, _, coded = (authorization or "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        token, colon, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    if not token or not colon or password:
        return None
    account = options.tokens.get(token, token)
    return None if account in options.refuse_sign_in else account
