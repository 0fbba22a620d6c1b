"""The whole Badgr API as one account may use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.adapters.badgr.assertions import Assertions
from worker.adapters.badgr.backpack import Backpack
from worker.adapters.badgr.badgeclasses import BadgeClasses
from worker.adapters.badgr.claim_codes import ClaimCodes
from worker.adapters.badgr.collections import Collections
from worker.adapters.badgr.issuers import Issuers
from worker.adapters.badgr.recovery import Recovery
from worker.adapters.badgr.tokens import Tokens
from worker.adapters.badgr.users import Users

if TYPE_CHECKING:
    from worker.adapters.badgr.connection import Connection


class BadgrClient:
    """Every operation of seeds 001 and 003, by resource.

    Each call takes a permit of the connection's rate limit and is over by its deadline. What is sent is
    checked before any call: InvalidDefinition or another ConfigurationError. What comes back raises the
    errors of `worker.errors`: Refused and SignInRefused for good, TransientError where nothing happened,
    NoAnswer where it may have.
    """

    def __init__(self, connection: Connection) -> None:
        self.issuers = Issuers(connection)
        self.badgeclasses = BadgeClasses(connection)
        self.claim_codes = ClaimCodes(connection)
        self.assertions = Assertions(connection)
        self.backpack = Backpack(connection)
        self.collections = Collections(connection)
        self.users = Users(connection)
        self.tokens = Tokens(connection)
        self.recovery = Recovery(connection)
