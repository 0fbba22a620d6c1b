"""Accounts and their tokens."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.sandbox.moments import entity_id, stored_epoch

if TYPE_CHECKING:
    from worker.sandbox.store import Row, Store

FULL_SCOPE = "rw:profile rw:issuer rw:backpack"
_CENTURY = 100 * 365.25 * 86400


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who calls, and what the token allows."""

    account: str
    entity_id: str
    scopes: frozenset[str]
    token: str | None

    def may(self, *scopes: str) -> bool:
        """Say whether one of these scopes was granted; none asked for means anybody may."""
        return not scopes or bool(self.scopes & set(scopes))

    def only_issuer(self) -> str | None:
        """Return the issuer that the token is confined to, if it is an issuer's token."""
        if "rw:issuer" in self.scopes:
            return None
        prefix = "rw:issuer:"
        return next((scope.removeprefix(prefix) for scope in self.scopes if scope.startswith(prefix)), None)


class People:
    """The accounts of a store. An account comes to be when it first signs in."""

    def __init__(self, store: Store, lifetime: int) -> None:
        self._store = store
        self.lifetime = lifetime

    def account(self, name: str, now: float) -> Row:
        """Return the account of this name, made if need be."""
        self._store.run(
            "INSERT OR IGNORE INTO accounts (account, entity_id, auth_key, created_at) VALUES (?, ?, ?, ?)",
            name,
            entity_id(),
            secrets.token_hex(20),
            stored_epoch(now),
        )
        row = self._store.one("SELECT * FROM accounts WHERE account = ?", name)
        assert row is not None  # noqa: S101  # just inserted
        return row

    def by_id(self, entity: str) -> Row | None:
        """Return the account with this entity id."""
        return self._store.one("SELECT * FROM accounts WHERE entity_id = ?", entity)

    def ready_made(self, token: str, account: str, now: float) -> None:
        """Make a token known that was told at the start; it lives for a century."""
        self.account(account, now)
        self._store.run("DELETE FROM tokens WHERE token = ?", token)
        self._insert(account, "public", FULL_SCOPE, now, now + _CENTURY, token=token)

    def issue(self, account: str, client: str, scope: str, now: float, *, refreshable: bool) -> Row:
        """Return a new token; older ones of the account live on."""
        self.account(account, now)
        refresh = secrets.token_urlsafe(22) if refreshable else None
        return self._insert(account, client, scope, now, now + self.lifetime, refresh=refresh)

    def issuer_token(self, account: str, issuer: str, now: float) -> Row:
        """Return the token confined to one issuer; the same one again on repeat."""
        scope = f"rw:issuer:{issuer}"
        row = self._store.one(
            "SELECT * FROM tokens WHERE account = ? AND scope = ? AND expires > ? AND client_id = 'issuer'",
            account,
            scope,
            now,
        )
        return row or self._insert(account, "issuer", scope, now, now + _CENTURY)

    def _insert(
        self,
        account: str,
        client: str,
        scope: str,
        now: float,
        expires: float,
        *,
        token: str | None = None,
        refresh: str | None = None,
    ) -> Row:
        value = token or secrets.token_urlsafe(22)
        self._store.insert(
            "tokens",
            token=value,
            entity_id=entity_id(),
            account=account,
            client_id=client,
            scope=scope,
            refresh_token=refresh,
            created_at=stored_epoch(now),
            expires=expires,
        )
        row = self._store.one("SELECT * FROM tokens WHERE token = ?", value)
        assert row is not None  # noqa: S101  # just inserted
        return row

    def refreshable(self, refresh_token: str) -> Row | None:
        """Return the token that belongs to a refresh token not used before."""
        return self._store.one(
            "SELECT * FROM tokens WHERE refresh_token = ? AND refresh_used = 0", refresh_token
        )

    def owner_of(self, refresh_token: str) -> str | None:
        """Return whose refresh token this is or was."""
        row = self._store.one("SELECT account FROM tokens WHERE refresh_token = ?", refresh_token)
        return None if row is None else str(row["account"])

    def retire(self, row: Row) -> None:
        """Use a refresh token up; its access token dies at once."""
        self._store.run("UPDATE tokens SET refresh_used = 1, expires = 0 WHERE token = ?", row["token"])

    def expire(self, account: str) -> None:
        """Let every access token of an account run out now; refresh tokens stay good."""
        self._store.run("UPDATE tokens SET expires = 0 WHERE account = ?", account)

    def bearer(self, authorization: str | None, now: float) -> Bearer | None:
        """Return who stands behind an Authorization header, or None."""
        kind, _, secret = (authorization or "").partition(" ")
        if kind.lower() == "bearer":
            return self._by_token(secret.strip(), now)
        if kind.lower() == "token":
            row = self._store.one("SELECT * FROM accounts WHERE auth_key = ?", secret.strip())
            if row is not None:
                return Bearer(row["account"], row["entity_id"], frozenset(FULL_SCOPE.split()), None)
        return None

    def _by_token(self, token: str, now: float) -> Bearer | None:
        row = self._store.one(
            "SELECT t.*, a.entity_id AS user FROM tokens t JOIN accounts a USING (account)"
            " WHERE token = ? AND expires > ?",
            token,
            now,
        )
        if row is None:
            return None
        self._slide(row, now)
        return Bearer(row["account"], row["user"], frozenset(row["scope"].split()), token)

    def _slide(self, row: Row, now: float) -> None:
        """Give a token its whole life again if it is used with less than half of it left."""
        if row["expires"] - now < self.lifetime / 2:
            self._store.run(
                "UPDATE tokens SET expires = ? WHERE token = ?", now + self.lifetime, row["token"]
            )

    def tokens(self, account: str, now: float) -> list[Row]:
        """Return the account's living tokens, oldest first."""
        return self._store.all(
            "SELECT * FROM tokens WHERE account = ? AND expires > ? ORDER BY rowid", (account, now)
        )

    def revoke(self, account: str, entity: str) -> bool:
        """Revoke one token and its refresh token; False if the account has no such token."""
        return bool(
            self._store.run(
                "UPDATE tokens SET expires = 0, refresh_used = 1 WHERE account = ? AND entity_id = ?",
                account,
                entity,
            )
        )

    def new_key(self, account: str) -> None:
        """Replace the account's legacy key."""
        self._store.run("UPDATE accounts SET auth_key = ? WHERE account = ?", secrets.token_hex(20), account)
