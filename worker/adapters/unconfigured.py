"""What stands in a provider's place while its issuer cannot be connected to."""

from __future__ import annotations

from typing import Any, NoReturn

from worker.errors import ConfigurationError


class Unconfigured:
    """Implements ports.Provider: every call says what is missing.

    So awards learn it the way they learn of refused credentials, instead of waiting for leases to run out.
    """

    def __init__(self, error: ConfigurationError) -> None:
        self._words = str(error)

    def _say(self, *_: Any, **__: Any) -> NoReturn:
        raise ConfigurationError(self._words)

    issue = find = revoke = changed = held = check = badgeclass_exists = _say
