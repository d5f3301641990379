"""What each command prints, as a whole: one golden file per screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.golden import is_golden
from tests.tiny import GOOD
from workshop.lesson import Lesson

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of the usual width, without colours."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.mark.parametrize(
    ("screen", "words"),
    [
        ("list", ["list"]),
        ("brief", ["show", "90"]),
        ("test-failed", ["test", "90"]),
        ("hint", ["hint", "90"]),
        ("solution", ["solution", "90"]),
        ("reset", ["reset", "90"]),
    ],
)
def test_the_screen_of_a_starter(
    screen: str, words: list[str], lesson: Lesson, said: Said
) -> None:
    _, out, _ = said(*words)

    is_golden(screen, out)


@pytest.mark.parametrize(
    ("screen", "answer"),
    [
        ("test-passed", GOOD),
        ("test-exception", GOOD.replace("    return", "    seats[0]\n    return")),
        ("test-not-loaded", f"import seats_of_another_app\n{GOOD}"),
        ("test-syntax", GOOD.replace("def ", "def def ")),
    ],
)
def test_the_verdict_on_an_answer(
    screen: str, answer: str, lesson: Lesson, said: Said
) -> None:
    lesson.app_file.write_text(answer, encoding="utf-8")

    _, out, _ = said("test", "90")

    is_golden(screen, out)


def test_the_third_hint_and_what_follows_it(lesson: Lesson, said: Said) -> None:
    for _ in range(2):
        said("hint", "90")
    _, third, _ = said("hint", "90")
    _, after, _ = said("hint", "90")

    is_golden("hint-third", third + "\n----\n" + after)


def test_the_states_that_were_kept(lesson: Lesson, said: Said) -> None:
    lesson.app_file.write_text(GOOD, encoding="utf-8")
    said("reset", "90")

    _, out, _ = said("undo", "90", "--list")

    is_golden("undo-list", out)
