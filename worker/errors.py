"""Every error of the worker; its class alone decides what happens next.

BadgeWorkerError
├── PermanentError            trying again cannot help: a person must mend something
│   ├── ConfigurationError    a setting, a definition or a command is wrong
│   │   └── InvalidDefinition badges or issuers as written cannot be used
│   ├── InvalidEvent          a message is not an event
│   ├── Unstorable            the database cannot hold the data as it is
│   ├── Refused               the provider refuses, with its words
│   └── SignInRefused         the provider does not accept the credentials
├── TransientError            trying again may help; nothing happened over there
│   ├── DatabaseUnavailable
│   │   └── TookTooLong       less of it at once may help more
│   ├── QueueUnavailable
│   ├── KeysUnavailable       the keys of signed tokens cannot be had: nobody can be let in by one
│   ├── LimiterUnavailable    the shared rate limit cannot be asked: no calls
│   ├── NoPermit              the rate limit has no room in the time given
│   ├── LeaseLost             this work belongs to somebody else by now
│   ├── CallFailed            a call to the provider was in vain; what is to become of its awards is recorded
│   ├── Throttled             the provider said 429, perhaps until when
│   └── Unreachable           the call never left
└── UncertainError            it may have happened: look before doing it again
    └── NoAnswer              time-out, cut connection, 5xx
"""

from __future__ import annotations


class BadgeWorkerError(Exception):
    """Root of every error that the worker raises on purpose."""


class PermanentError(BadgeWorkerError):
    """Trying again cannot help."""


class TransientError(BadgeWorkerError):
    """Trying again may help; what was tried did not happen."""


class UncertainError(BadgeWorkerError):
    """What was tried may or may not have happened."""


class ConfigurationError(PermanentError):
    """A setting or a command cannot be used; the text names it and says what would be right."""


class InvalidDefinition(ConfigurationError):
    """Issuers or badges as written cannot be used.

    `problems` holds one line for each, naming the field and what would be right.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class InvalidEvent(PermanentError):
    """A message is not an event; the text names the field and what would be right."""


class Unstorable(PermanentError):
    """The database cannot hold the data as it is."""


class Refused(PermanentError):
    """The provider refuses the call as it is; `words` are the provider's own, without addresses."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"refused with HTTP {status}: {words}")
        self.status = status
        self.words = words


class SignInRefused(PermanentError):
    """The provider does not accept the issuer's credentials."""


class DatabaseUnavailable(TransientError):
    """The database cannot be reached or gave up on a transaction that may be tried again."""


class TookTooLong(DatabaseUnavailable):
    """The database gave up on a statement that took longer than it allows."""


class QueueUnavailable(TransientError):
    """The event queue cannot be reached."""


class KeysUnavailable(TransientError):
    """The keys by which signed tokens are checked cannot be had from who publishes them."""


class LimiterUnavailable(TransientError):
    """The shared rate limit cannot be asked, so no call may be made."""


class NoPermit(TransientError):
    """The issuer's rate limit has no room; `wait` is seconds until it may have."""

    def __init__(self, issuer: str, wait: float) -> None:
        super().__init__(f"issuer {issuer}: no permit for another {wait:.1f} s")
        self.wait = wait


class LeaseLost(TransientError):
    """The lease on these awards is not ours any more, or too short for the call: drop the work."""


class CallFailed(TransientError):
    """A call to a provider was in vain; the text says in our words how its awards go on.

    That is recorded already: whoever catches it has nothing left to do.
    """


class Throttled(TransientError):
    """The provider answered 429; `wait` is seconds from now, or None if it did not say."""

    def __init__(self, words: str, wait: float | None = None) -> None:
        super().__init__(words)
        self.wait = wait


class Unreachable(TransientError):
    """The call never left: connection refused, name unknown, or a token that was not accepted."""


class NoAnswer(UncertainError):
    """The call was sent and its result is unknown: time-out, cut connection or 5xx."""

    def __init__(self, words: str, status: int | None = None) -> None:
        super().__init__(words)
        self.status = status
