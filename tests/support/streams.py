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
    from collections.abc import Callable, Iterable

NAMED = ["a", 'b"\\', "{c,NULL}", "ü 😀"]  # ids are any text
PEOPLE, PATHS = st.sampled_from(NAMED), st.sampled_from("12")
POSTS = st.sampled_from(["p1", "p2", "p3", "p4"])
PAIRS = st.permutations(NAMED).map(lambda people: people[:2])
LATEST = 20  # seconds: all of it happens within so many, so that ties abound
TIMES = st.integers(0, LATEST)
ADDRESSES = st.sampled_from(["Ada@example.org", "b@example.org", " ", ""])
NAMES = st.sampled_from(["Ada", " ", ""])
FLAGS = st.sampled_from([True, False, None])
SCORES = st.sampled_from(
    [{}, {"score": 79}, {"score": 79, "required_score": 80}, {"score": 80, "required_score": 80}]
)

Bodies = list[bytes]


def _growing(times: st.SearchStrategy[int]) -> st.SearchStrategy[bytes]:
    """Return what takes nothing away from anybody."""
    return st.one_of(
        st.builds(say.enrolled, times, PEOPLE, PATHS),
        st.builds(say.unenrolled, times, PEOPLE, PATHS),
        st.builds(
            lambda when, who, path, passed, scores: say.completed(when, who, path, passed=passed, **scores),
            times,
            PEOPLE,
            PATHS,
            FLAGS,
            SCORES,
        ),
        st.builds(say.posted, times, PEOPLE, POSTS, st.none() | POSTS),
        st.builds(lambda when, pair: say.met(when, *pair), times, PAIRS),
        st.builds(lambda when, pair: say.met(when, *pair), times, PAIRS),
        st.builds(lambda when, who, email: say.registered(when, who, email=email), times, PEOPLE, ADDRESSES),
        st.builds(lambda when, who: say.registered(when, who, is_active=True), times, PEOPLE),
        st.builds(
            lambda when, who, email, name: say.updated(
                when, who, email=email, first_name=name, last_name=name
            ),
            times,
            PEOPLE,
            st.none() | ADDRESSES,
            NAMES,
        ),
        st.builds(lambda when, who: say.updated(when, who, scope="AUTHENTICATED"), times, PEOPLE),
        st.builds(say.unblocked, times, PEOPLE),
    )


def _taking(times: st.SearchStrategy[int]) -> st.SearchStrategy[bytes]:
    """Return what may take something away."""
    return st.one_of(
        st.builds(say.unposted, times, PEOPLE, POSTS),
        st.builds(lambda when, pair: say.parted(when, *pair), times, PAIRS),
        st.builds(say.blocked, times, PEOPLE),
        st.builds(lambda when, who: say.updated(when, who, is_active=False), times, PEOPLE),
        st.builds(lambda when, who: say.registered(when, who, is_active=False), times, PEOPLE),
        st.builds(lambda when, who: say.updated(when, who, scope="ANONYMOUS"), times, PEOPLE),
        st.builds(say.deleted, times, st.sampled_from(NAMED[2:])),
    )


BROKEN = st.sampled_from([b"junk", b"{}", b"\xff", say.event("post.created", 1, user_id=NAMED[0])])
UNKNOWN = st.builds(say.event, st.sampled_from(["course.rated", "post.liked"]), TIMES)
NOISE = BROKEN | UNKNOWN
GROWING, TAKING = _growing(TIMES), _taking(TIMES)


def growing(most: int = 25) -> st.SearchStrategy[Bodies]:
    """Return streams that take nothing away, each event once."""
    return st.lists(GROWING | GROWING | NOISE, max_size=most).map(sensible)


def arbitrary(most: int = 25) -> st.SearchStrategy[Bodies]:
    """Return streams of everything, whose order is not that of their times."""
    return st.lists(GROWING | TAKING | NOISE, max_size=most).map(sensible)


def orderly(most: int = 25) -> st.SearchStrategy[Bodies]:
    """Return streams of everything in the order of their times."""
    return st.lists(GROWING | TAKING, max_size=most).map(lambda stream: sensible(sorted(stream, key=_time)))


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


def in_batches(stream: Bodies, size: int, take: Callable[[Bodies], object]) -> None:
    """Hand the stream over in batches of a size."""
    for start in range(0, len(stream), size):
        take(stream[start : start + size])
