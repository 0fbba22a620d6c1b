"""Events mangled at random: a few of their attributes or fields replaced or taken out."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

from hypothesis import strategies as st

from tests.unit.envelopes import DATA, document

OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
    st.sampled_from(["u", "1.0", "2026-06-01T12:05:00Z", "2026-06-01T12:05:01Z", "ANONYMOUS", *DATA]),
    st.datetimes(timezones=OFFSETS).map(datetime.isoformat),
    st.lists(TEXTS | st.integers(0, 3), max_size=3),
)
NAMES = ["specversion", "id", "source", "type", "time", "data"]
FIELDS = sorted({name for data in DATA.values() for name in data})
PROFILE = ["email", "scope", "is_active", "score", "required_score", "parent_post_id"]


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """Draw an event with a few attributes or fields replaced or taken out."""
    whole = document(draw(st.sampled_from(list(DATA))))
    whole["data"] = whole["data"] | draw(
        st.dictionaries(st.sampled_from([*FIELDS, *PROFILE]), VALUES, max_size=2)
    )
    whole |= draw(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=1))
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=1)):
        whole.pop(name, None)
    return json.dumps(whole).encode()
