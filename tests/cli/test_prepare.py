"""`prepare` fetches what the other verbs would fetch one by one."""

from collections.abc import Callable

import pytest

from workshop.cli import prepare
from workshop.commands import BY_NAME, VERBS
from workshop.environment.model import SetupError

Said = Callable[..., tuple[int, str, str]]


def test_it_needs_what_every_verb_of_a_learner_needs() -> None:
    wanted = {group for verb in VERBS for group in verb.groups} - {"dev"}

    assert wanted == set(BY_NAME["prepare"].groups)


def test_it_says_that_all_is_here(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "jupyter", lambda: None)

    code, out, _ = said("prepare")

    assert code == 0
    assert out.startswith("Everything is installed: ")


def test_it_says_why_something_is_not(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network() -> None:
        raise SetupError("The packages could not be fetched.")

    monkeypatch.setattr(prepare, "jupyter", no_network)

    assert said("prepare") == (3, "", "The packages could not be fetched.\n")
