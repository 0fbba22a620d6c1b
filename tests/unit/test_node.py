"""What tests need of other languages: where it is missing, CI fails and a laptop says what to install."""

from __future__ import annotations

import pytest

from tests.support import node


def test_a_program_that_is_missing_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="apt-get install nonesuch-cli"):
        node.needs("nonesuch", "nonesuch-cli")


def test_a_program_that_is_missing_skips_on_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="apt-get install nonesuch-cli"):
        node.needs("nonesuch", "nonesuch-cli")
