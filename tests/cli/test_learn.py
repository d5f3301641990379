"""`learn` and `watch` without a terminal: the same facts and keys, as lines."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import pytest
from rich.console import Console

from tests.tiny import GOOD, STARTER
from workshop.actions.learner import LearnerActions
from workshop.grading import LessonVerdict, StepVerdict, TestVerdict, Verdict
from workshop.lesson import Lesson
from workshop.screen import console
from workshop.screen.lines import Lines
from workshop.watch import Ended, Event, Finished, Missing, Started, Trouble, Watching
from workshop.watch.session import BY_KEY

Said = Callable[..., tuple[int, str, str]]
Listen = Callable[[Event], None]


def test_without_input_the_first_verdict_ends_it_with_what_it_was_worth(
    lesson: Lesson, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def typed_nothing(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO())
        console.out.cache_clear()  # it holds on to the standard output of its time
        return said(*words)

    failed, first, _ = typed_nothing("learn")
    lesson.app_file.write_text(GOOD, encoding="utf-8")
    passed, second, _ = typed_nothing("watch", "90")
    finished, last, _ = typed_nothing("learn")

    assert (failed, passed, finished) == (1, 0, 0)
    assert "Lesson 90 · Seats" in first
    assert "Watching lessons/90_seats/app.py" in first
    assert "Step 1 · The free seats are shown: failed" in first
    assert "0 of 2 steps passed" in first
    assert "all 2 steps of lesson 90" in second
    assert "finished every lesson" in last
    assert "\x1b" not in first + second


class Engine:
    """Stands in for a session: tells what the test says, and notes what it is told."""

    def __init__(self, *events: Event) -> None:
        self.events = events
        self.asked: list[str] = []

    def open(
        self, lesson: Lesson, environment: Mapping[str, str], listen: Listen
    ) -> Engine:
        self.listen = listen
        return self

    def start(self) -> None:
        for event in self.events:
            self.listen(event)

    def rerun(self) -> None:
        self.asked.append("rerun")

    def end_run(self) -> None:
        self.asked.append("end run")

    def change(self, lesson: Lesson, environment: Mapping[str, str]) -> None:
        self.asked.append(lesson.slug)
        self.start()


def verdict(lesson: Lesson, *words: Verdict) -> Finished:
    """Return the end of run 1, with a verdict for each step."""
    steps = tuple(
        StepVerdict(
            step.number,
            step.title,
            tuple(TestVerdict(test, word, seen="Seen.") for test in step.tests),
        )
        for step, word in zip(lesson.steps, words, strict=True)
    )
    return Finished(lesson.slug, 1, LessonVerdict(lesson, steps, 0.1), "content")


@pytest.fixture
def typed(lesson: Lesson) -> Callable[..., str]:
    """Return a function that types lines at an engine, and returns what is written."""

    def type_lines(engine: Engine, *lines: str) -> str:
        page = Console(file=io.StringIO(), width=100, highlight=False)
        actions = LearnerActions()
        try:
            Lines(actions, engine.open, lesson, page).run(lines)
        finally:
            actions.close()
        assert isinstance(page.file, io.StringIO)
        return page.file.getvalue()

    return type_lines


Typed = Callable[..., str]


@pytest.fixture
def failed(lesson: Lesson) -> Engine:
    """An engine whose verdict is that step 2 has failed."""
    slug = lesson.slug
    return Engine(
        Watching(slug, lesson.app_file, False, ""),
        Started(slug, 1, 2),
        verdict(lesson, Verdict.PASSED, Verdict.FAILED),
    )


def test_hints_come_rung_by_rung_and_the_change_only_to_those_who_say_yes(
    failed: Engine, typed: Typed
) -> None:
    refused = typed(failed, "h", "H", "hint", "h", "no")
    shown = typed(failed, "h", "y")

    assert refused.count("Look again.") == 3
    assert "Write again." in refused
    assert "Show our change for step 2?" in refused
    assert "Nothing was changed." in refused
    assert "-@app.get" not in refused
    assert '-@app.get("/nothing")' in shown


def test_the_whole_solution_is_shown_to_those_who_say_yes_and_then_at_once(
    failed: Engine, typed: Typed
) -> None:
    refused = typed(failed, "s", "no")
    shown = typed(failed, "s", "y")
    again = typed(failed, "s")

    assert "Show our answer to every step?" in refused
    assert '-@app.get("/nothing")' not in refused
    assert '-@app.get("/nothing")' in shown
    assert "Show our answer" not in again
    assert '-@app.get("/nothing")' in again


def test_it_goes_on_only_after_a_pass_and_anywhere_when_asked(
    lesson: Lesson, failed: Engine, typed: Typed
) -> None:
    said = typed(failed, "n", "l", "l 90", "l 77")

    assert "Step 2 has not passed yet: Nothing is nowhere." in said
    assert failed.asked == ["90_seats"]
    assert "There is no lesson '77'." in said


def test_a_reset_asks_and_can_be_taken_back(
    lesson: Lesson, failed: Engine, typed: Typed
) -> None:
    lesson.app_file.write_text(GOOD, encoding="utf-8")

    typed(failed, "x", "n")
    kept = lesson.app_file.read_text(encoding="utf-8")
    said = typed(failed, "x", "y")
    starter = lesson.app_file.read_text(encoding="utf-8")
    typed(failed, "u")

    assert kept == GOOD
    assert "Put the starter back" in said
    assert starter == STARTER
    assert lesson.app_file.read_text(encoding="utf-8") == GOOD


def test_what_the_engine_tells_is_said_in_lines(lesson: Lesson, typed: Typed) -> None:
    slug, file = lesson.slug, lesson.app_file
    engine = Engine(
        Watching(slug, file, True, "It is silent."),
        Started(slug, 1, 2),
        Ended(slug, 1, BY_KEY),
        Trouble(slug, "Something is wrong."),
        Missing(slug, file),
    )

    said = typed(engine, "r", "k", "t", "", "zzz", "?")

    assert "app.py by polling: It is silent." in said
    assert "Checking 2 tests" in said
    assert "Run ended." in said
    assert "Something is wrong." in said
    assert "app.py is missing." in said
    assert engine.asked == ["rerun"]
    assert "No run is on." in said
    assert "no scene to record" in said
    assert "There is no key 'zzz'." in said
    assert "Leave. Everything is kept." in said


def test_after_q_nothing_more_is_done(failed: Engine, typed: Typed) -> None:
    assert "Look again." not in typed(failed, "q", "h")


def test_a_verdict_is_remembered(lesson: Lesson, typed: Typed, said: Said) -> None:
    passed = verdict(lesson, Verdict.PASSED, Verdict.PASSED)

    typed(Engine(Started(lesson.slug, 1, 2), passed))

    assert "2 of 2 steps, finished" in said("list")[1]
