"""Forgetting a person: their data goes, the fact that badges were issued stays under a pseudonym."""

from __future__ import annotations

from dataclasses import dataclass

from worker.people import Gone, Person, Pseudonyms, Traces, pseudonym
from worker.ports import People

REASON = "withdrawn at the holder's request"  # the provider shows it to whoever looks the badge up


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What went. `pseudonym` stands for the person from now on; `texts` are errors and histories of others.

    `before` says that they were forgotten already, and only what was left of them went.
    """

    pseudonym: str
    gone: Gone
    dead_letters: int
    texts: int
    before: bool = False


def forget(people: People, pseudonyms: Pseudonyms, user_id: str, *, revoke: bool) -> Forgetting | None:
    """Forget a person; None if there is no such user. `revoke` asks for all that was issued to be revoked.

    Raises Unsettled, and nothing is changed, while it is open whether an award of theirs is over there.
    Whoever was interrupted forgets again.
    """
    hashed = pseudonyms.hash_of(user_id)
    stands_in = pseudonym(hashed)
    person = people.person(user_id)
    before = person is None
    if person is None:
        if not people.is_forgotten(hashed):
            return None
        person = Person(user_id)
    traces = Traces(person, stands_in)
    gone = Gone()
    if not before:
        reason = REASON if revoke else None
        gone = people.forget(person, hashed, pseudonyms.fingerprint, reason) or gone
    # Only now: what still named them until then is among it. Once more is harmless.
    letters, texts = people.remove_traces(traces)
    return Forgetting(stands_in, gone, letters, texts, before)
