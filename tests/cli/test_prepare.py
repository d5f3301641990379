"""`prepare` fetches what the other verbs would fetch one by one."""

from collections.abc import Callable

import pytest

from workshop.cli import prepare
from workshop.commands import BY_NAME, VERBS
from workshop.environment.model import SetupError

Said = Callable[..., tuple[int, str, str]]


def test_it_installs_the_packages_of_every_learners_verb() -> None:
    wanted = {group for verb in VERBS for group in verb.groups}
    wanted -= {"authors", "dev"}

    assert wanted == set(BY_NAME["prepare"].groups)


def test_it_reports_success(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "jupyter", lambda: None)

    code, out, _ = said("prepare")

    assert code == 0
    assert out.startswith("Everything is installed: ")


def test_it_reports_a_failed_installation(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network() -> None:
        raise SetupError("The packages could not be fetched.")

    monkeypatch.setattr(prepare, "jupyter", no_network)

    assert said("prepare") == (3, "", "The packages could not be fetched.\n")
