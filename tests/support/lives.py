"""Random short lives of a few people, full of ties and of things taken back, as bodies to deliver."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from tests.support.bodies import (
    blocked,
    completed,
    deleted,
    enrolled,
    met,
    parted,
    posted,
    registered,
    unblocked,
    unenrolled,
    unposted,
    updated,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 12  # all of it happens within so many, so that ties abound
CRITERIA: dict[str, dict[str, Any]] = {
    "enrolled": {"lp_enroll": {"learning_path_id": "1"}},
    "completed": {"lp_complete": {"learning_path_id": 1}},
    "passed": {"lp_passed": {"learning_path_id": "1"}},
    "two-people": {"social_connection": {"threshold": 2}},
    "three-people": {"social_connection": {"threshold": 3}},
    "two-at-once": {"social_connection": {"threshold": 2, "period": 2}},
    "three-at-once": {"social_connection": {"threshold": 3, "period": 3}},
    "two-posts": {"social_engagement": {"threshold": 2}},
    "three-posts": {"social_engagement": {"threshold": 3}},
    "four-seconds": {"registered_for": {"threshold": 4}},
    "for-ever": {"registered_for": {"threshold": 10**9}},
    "path-and-post": {
        "all_of": [{"lp_enroll": {"learning_path_id": "1"}}, {"social_engagement": {"threshold": 1}}]
    },
    "either": {"any_of": [{"lp_passed": {"learning_path_id": "2"}}, {"social_engagement": {"threshold": 3}}]},
    "nested": {
        "all_of": [
            {"registered_for": {"threshold": 4}},
            {
                "any_of": [
                    {"social_connection": {"threshold": 2, "period": 2}},
                    {
                        "all_of": [
                            {"lp_complete": {"learning_path_id": 1}},
                            {"social_connection": {"threshold": 1}},
                        ]
                    },
                ]
            },
        ]
    },
}


class Lives:
    """The same lives for a seed. Where `shuffled`, they are delivered out of order, a quarter of them twice.

    A pair is established once; where not shuffled, again after it parted. A second time for a pair that is
    still connected is the one case in which order may matter, so it does not occur.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.shuffled = self.rng.random() < 0.5
        self.people = ["a", "b", "c", "d", "e"][: self.rng.randint(2, 5)]
        self.pairs: set[tuple[str, str]] = set()
        self.bodies = self._bodies(self.rng.randint(5, 40))

    def batches(self) -> list[int]:
        """Return the sizes of batches to deliver in: one by one, all at once, or at random."""
        whole = len(self.bodies)
        random_ones = [self.rng.randint(1, 8) for _ in range(whole)]
        return self.rng.choice([[1] * whole, [whole], random_ones])

    def _bodies(self, events: int) -> list[bytes]:
        bodies = []
        for number in range(events):
            when = self.rng.randrange(SECONDS) if self.shuffled else number * SECONDS // events
            bodies += self._something(when)
        if self.shuffled:
            bodies += self.rng.sample(bodies, len(bodies) // 4)
            self.rng.shuffle(bodies)
        return bodies

    def _something(self, when: int) -> list[bytes]:
        weights = {
            self._meeting: 25,
            self._parting: 8,
            self._posting: 20,
            self._learning: 20,
            self._account: 12,
            self._barring: 10,
        }
        ((what),) = self.rng.choices(list(weights), list(weights.values()))
        return what(when)

    def _meeting(self, when: int) -> list[bytes]:
        one, other = pair = self._pair()
        if pair in self.pairs:
            return []
        self.pairs.add(pair)
        return [met(when, *self.rng.sample([one, other], 2))]

    def _parting(self, when: int) -> list[bytes]:
        pair = self._pair()
        if not self.shuffled:
            self.pairs.discard(pair)
        return [parted(when, *pair)]

    def _pair(self) -> tuple[str, str]:
        one, other = sorted(self.rng.sample(self.people, 2))
        return one, other

    def _posting(self, when: int) -> list[bytes]:
        user_id = self.rng.choice(self.people)
        post_id = f"{user_id}-{self.rng.randrange(4)}"
        return [
            unposted(when, user_id, post_id) if self.rng.random() < 0.3 else posted(when, user_id, post_id)
        ]

    def _learning(self, when: int) -> list[bytes]:
        user_id, path = self.rng.choice(self.people), self.rng.choice("12")
        scores: dict[str, float] = self.rng.choice(
            [{}, {"score": 5, "required_score": self.rng.choice([4, 5, 6])}]
        )
        passed = self.rng.choice([True, False, None])
        return self.rng.choice(
            [
                [enrolled(when, user_id, path)],
                [unenrolled(when, user_id, path)],
                [completed(when, user_id, path, passed=passed, **scores)],
            ]
        )

    def _account(self, when: int) -> list[bytes]:
        user_id = self.rng.choice(self.people)
        profile: dict[str, Any] = self.rng.choice([{}, {"email": f"{self.rng.choice('XyZ')}@example.org"}])
        return [self.rng.choice([registered, updated])(when, user_id, **profile)]

    def _barring(self, when: int) -> list[bytes]:
        user_id = self.rng.choice(self.people)
        scope = self.rng.choice(["ANONYMOUS", "AUTHENTICATED", "ADMINISTRATOR"])
        ways: dict[Callable[[], bytes], int] = {
            lambda: blocked(when, user_id): 4,
            lambda: unblocked(when, user_id): 4,
            lambda: updated(when, user_id, is_active=self.rng.random() < 0.5): 2,
            lambda: updated(when, user_id, scope=scope): 2,
            lambda: deleted(when, user_id): 1,
        }
        (way,) = self.rng.choices(list(ways), list(ways.values()))
        return [way()]
