"""Arbitrary streams of events about a few people, drawn by hypothesis: full of ties, repeats and surprises.

Upstream says `established` only of two people who are not connected (contract.md section 3). A second one for
a pair that is still connected is the one case where order may matter, so no stream holds it: `sensible`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.support import bodies as say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

NAMED = ["a", 'b"\\', "{c,NULL}", "ü 😀", "5", "f f"]  # ids are any text
PEOPLE, PATHS = st.sampled_from(NAMED), st.sampled_from("12")
POSTS = st.sampled_from(["p1", "p2", "p3", "p4"])
PAIRS = st.permutations(NAMED).map(lambda people: people[:2])
LATEST = 30  # seconds: all of it happens within so many, so that ties abound
TIMES = st.integers(0, LATEST)
ADDRESSES = st.sampled_from(["Ada@example.org", "b@example.org", " ", ""])
NAMES = st.sampled_from(["Ada", " ", ""])
FLAGS = st.sampled_from([True, False, None])
SCORES = st.sampled_from(
    [{}, {"score": 79}, {"score": 79, "required_score": 80}, {"score": 80, "required_score": 80}]
)

# What bars a person, and what ends that.
BARS: list[tuple[Callable[[float, str], bytes], Callable[[float, str], bytes]]] = [
    (say.blocked, say.unblocked),
    (
        lambda when, who: say.updated(when, who, is_active=False),
        lambda when, who: say.updated(when, who, is_active=True),
    ),
    (
        lambda when, who: say.updated(when, who, scope="ANONYMOUS"),
        lambda when, who: say.updated(when, who, scope="AUTHENTICATED"),
    ),
]

Bodies = list[bytes]


GROWING = [
    st.builds(say.enrolled, TIMES, PEOPLE, PATHS),
    st.builds(say.unenrolled, TIMES, PEOPLE, PATHS),
    st.builds(
        lambda when, who, path, passed, scores: say.completed(when, who, path, passed=passed, **scores),
        TIMES,
        PEOPLE,
        PATHS,
        FLAGS,
        SCORES,
    ),
    st.builds(say.posted, TIMES, PEOPLE, POSTS, st.none() | POSTS),
    st.builds(lambda when, pair: say.met(when, *pair), TIMES, PAIRS),
    st.builds(lambda when, who, email: say.registered(when, who, email=email), TIMES, PEOPLE, ADDRESSES),
    st.builds(lambda when, who: say.registered(when, who, is_active=True), TIMES, PEOPLE),
    st.builds(
        lambda when, who, email, name: say.updated(when, who, email=email, first_name=name, last_name=name),
        TIMES,
        PEOPLE,
        st.none() | ADDRESSES,
        NAMES,
    ),
    st.builds(lambda when, who: say.updated(when, who, scope="AUTHENTICATED"), TIMES, PEOPLE),
    st.builds(say.unblocked, TIMES, PEOPLE),
]
TAKING = [
    st.builds(say.unposted, TIMES, PEOPLE, POSTS),
    st.builds(lambda when, pair: say.parted(when, *pair), TIMES, PAIRS),
    st.builds(say.blocked, TIMES, PEOPLE),
    st.builds(lambda when, who: say.updated(when, who, is_active=False), TIMES, PEOPLE),
    st.builds(lambda when, who: say.registered(when, who, is_active=False), TIMES, PEOPLE),
    st.builds(lambda when, who: say.updated(when, who, scope="ANONYMOUS"), TIMES, PEOPLE),
    st.builds(say.deleted, TIMES, st.sampled_from(NAMED[2:])),
]
NOISE = [
    st.sampled_from([b"junk", b"{}", b"\xff", say.event("post.created", 1, user_id=NAMED[0])]),
    st.builds(say.event, st.sampled_from(["course.rated", "post.liked"]), TIMES),
]


@st.composite
def _streams(draw: st.DrawFn, kinds: Sequence[st.SearchStrategy[bytes]], most: int) -> Bodies:
    """Draw a stream of all kinds of events, or of a few: those meet more often then."""
    numbers = draw(st.none() | st.sets(st.sampled_from(range(len(kinds))), min_size=2, max_size=4))
    drawn = kinds if numbers is None else [kinds[number] for number in sorted(numbers)]
    return draw(st.lists(st.one_of(drawn), max_size=most))


def growing(most: int = 25) -> st.SearchStrategy[Bodies]:
    """Return streams that take nothing away, each event once."""
    return _streams([*GROWING, *NOISE], most).map(sensible)


def arbitrary(most: int = 25) -> st.SearchStrategy[Bodies]:
    """Return streams of everything, whose order is not that of their times."""
    return _streams([*GROWING, *TAKING, *NOISE], most).map(sensible)


def orderly(most: int = 25) -> st.SearchStrategy[Bodies]:
    """Return streams of everything in the order of their times."""
    return _streams([*GROWING, *TAKING], most).map(lambda stream: sensible(sorted(stream, key=_time)))


@st.composite
def freed(draw: st.DrawFn) -> list[Bodies]:
    """Draw batches about one person: before being barred, while barred, and along with the end of that."""
    who = NAMED[0]
    about = st.one_of(
        st.builds(lambda when, other: say.met(when, who, other), TIMES, st.sampled_from(NAMED[1:])),
        st.builds(lambda when, other: say.met(when, who, other), TIMES, st.sampled_from(NAMED[1:])),
        st.builds(say.posted, TIMES, st.just(who), POSTS),
        st.builds(say.enrolled, TIMES, st.just(who), PATHS),
        st.builds(say.registered, TIMES, st.just(who)),
    )
    few = st.lists(about, max_size=4)
    bar, free = draw(st.sampled_from(BARS))
    since = draw(TIMES)
    until = draw(st.integers(since + 1, LATEST + 1))
    along = draw(st.permutations([free(until, who), *draw(few)]))
    batches = [draw(few), [bar(since, who), *draw(few)], along]
    kept = set(sensible([body for batch in batches for body in batch]))
    return [[body for body in batch if body in kept] for batch in batches]


@st.composite
def repeated(draw: st.DrawFn, streams: st.SearchStrategy[Bodies]) -> Bodies:
    """Draw a stream in which some events come again, anywhere after their first time."""
    stream = draw(streams)
    for body in draw(st.lists(st.sampled_from(stream), max_size=5)) if stream else []:
        stream.insert(draw(st.integers(stream.index(body) + 1, len(stream))), body)
    return stream


def _time(body: bytes) -> str:
    return str(json.loads(body)["time"])


def sensible(stream: Iterable[bytes]) -> Bodies:
    """Leave out each `established` for a pair that is connected by what came before it."""
    began: dict[frozenset[str], list[str]] = defaultdict(list)
    ended: dict[frozenset[str], list[str]] = defaultdict(list)
    kept = []
    for body in stream:
        if b'"connection.' in body:
            event = json.loads(body)
            pair = frozenset(event["data"]["user_ids"])
            connected = max(began[pair], default="") > max(ended[pair], default="")
            if connected and event["type"] == "connection.established.v1":
                continue
            (began if event["type"] == "connection.established.v1" else ended)[pair].append(event["time"])
        kept.append(body)
    return kept
