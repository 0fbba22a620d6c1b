"""What a call is about, as a metric tells it: few words, whatever ids and addresses are in the path."""

from __future__ import annotations

import pytest

from worker.adapters.badgr.http import Request
from worker.adapters.badgr.operations import operation_of, outcome_of


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("POST", "/o/token", "POST token"),
        ("GET", "/v2/users/self", "GET users/self"),
        ("POST", "/v2/badgeclasses/K829IK8RS6ercwkpeFOn-Q/assertions", "POST badgeclasses/assertions"),
        ("POST", "/v2/badgeclasses/K829IK8RS6ercwkpeFOn-Q/issue", "POST badgeclasses/issue"),
        ("GET", "/v2/assertions/revoked-by-ada%40example.org", "GET assertions"),
        ("POST", "/organizations/3978643a/badges/ada/revoke", "POST organizations/badges/revoke"),
        ("GET", "/", "GET "),
    ],
)
def test_an_operation_is_its_words_and_no_id(method: str, path: str, operation: str) -> None:
    assert operation_of(Request(method, path)) == operation


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "done"),
        (201, "done"),
        (302, "done"),
        (400, "refused"),
        (401, "refused"),
        (404, "refused"),
        (429, "throttled"),
        (500, "failed"),
        (503, "failed"),
    ],
)
def test_a_status_is_one_of_few_outcomes(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome
