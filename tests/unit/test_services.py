"""A missing service is a failure where everything must be there, and a skip that helps on a laptop."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import rabbitmq, services


def test_on_a_laptop_a_missing_service_skips_and_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="make install, or set SOME_URL"):
        services.unavailable("PostgreSQL", "SOME_URL", RuntimeError("not there"))


def test_in_ci_a_missing_service_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="no PostgreSQL: not there"):
        services.unavailable("PostgreSQL", "SOME_URL", RuntimeError("not there"))


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_where_rabbitmq_is_not_installed_its_tests_say_how_to_get_it(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(rabbitmq, "SERVER", tmp_path / "rabbitmq-server")

    with pytest.raises(outcome, match="apt-get install rabbitmq-server"), services.rabbitmq(tmp_path):
        pass


def test_each_test_process_has_a_redis_database_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw1")

    assert services._own_number("redis://me:secret@broker:6379/4") == "redis://me:secret@broker:6379/5"
    assert services._own_number(None) is None
