"""`learn` and `watch` without a terminal: the same facts and keys, as lines."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping

import pytest
from rich.console import Console

from tests.screen.stage import PREDICT
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


def test_without_input_it_exits_after_the_first_verdict(
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
    # No key can be typed any more, so commands are offered instead.
    assert "hint 90" in first
    assert "Type h" not in first
    assert "\x1b" not in first + second


class Engine:
    """A fake session that sends the test's events and records the calls it receives."""

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
    """Return a function that types lines and returns the output."""

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


def test_p_prints_the_question_and_then_the_answer(
    typed: Typed, lesson: Lesson, failed: Engine
) -> None:
    lesson.page.write_text(f"# 90 · Seats\n\n{PREDICT}", encoding="utf-8")

    once = typed(failed, "p")
    twice = typed(failed, "p", "predict")

    assert "Who gets it?" in once
    assert "409" not in once
    assert "The second one gets a 409." in twice.partition("Who gets it?")[2]


@pytest.fixture
def failed(lesson: Lesson) -> Engine:
    """An engine whose verdict is a failure of step 2."""
    slug = lesson.slug
    return Engine(
        Watching(slug, lesson.app_file, False, ""),
        Started(slug, 1, 2),
        verdict(lesson, Verdict.PASSED, Verdict.FAILED),
    )


class AwaitedActions(LearnerActions):
    """Actions that know when its app accepts connections."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted = threading.Event()

    def serve(
        self,
        lesson: Lesson,
        listen: Callable[[str], None],
        accept: Callable[[str], None],
    ) -> None:
        def told(address: str) -> None:
            accept(address)
            self.accepted.set()

        super().serve(lesson, listen, told)


def test_the_address_of_the_app_is_written_when_it_accepts_connections(
    failed: Engine, lesson: Lesson
) -> None:
    page = io.StringIO()
    actions = AwaitedActions()

    def typed() -> Iterator[str]:
        yield "a"
        assert actions.accepted.wait(60)
        yield "a"

    try:
        Lines(actions, failed.open, lesson, Console(file=page, width=100)).run(typed())
    finally:
        actions.close()
    written = page.getvalue()
    told = [written.find(it) for it in ("Starting", "startup complete", "/docs (a")]

    assert -1 not in told
    assert told == sorted(told)
    assert "The app is stopped." in written


def test_hints_come_one_by_one_and_the_change_after_confirmation(
    failed: Engine, typed: Typed
) -> None:
    refused = typed(failed, "h", "H", "hint", "h", "no")
    shown = typed(failed, "h", "y")

    assert refused.count("Look again.") == 3
    assert "Write again." in refused
    assert "Show the change for step 2?" in refused
    assert "Nothing was changed." in refused
    assert "-@app.get" not in refused
    assert '-@app.get("/nothing")' in shown


def test_the_solution_needs_confirmation_only_once(
    failed: Engine, typed: Typed
) -> None:
    refused = typed(failed, "s", "no")
    shown = typed(failed, "s", "y")
    again = typed(failed, "s")

    assert "Show the solution of every step?" in refused
    assert '-@app.get("/nothing")' not in refused
    assert '-@app.get("/nothing")' in shown
    assert "Show the solution of" not in again
    assert '-@app.get("/nothing")' in again


def test_next_needs_a_pass_but_a_lesson_can_be_chosen(
    lesson: Lesson, failed: Engine, typed: Typed
) -> None:
    said = typed(failed, "n", "l", "l 90", "l 77")

    assert "Step 2 has not passed yet: Nothing is nowhere." in said
    assert failed.asked == ["90_seats"]
    assert "There is no lesson '77'." in said


def test_a_reset_asks_and_can_be_undone(
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


def test_engine_events_are_printed_as_lines(lesson: Lesson, typed: Typed) -> None:
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
    assert "No run is in progress." in said
    assert "no scene to record" in said
    assert "There is no key 'zzz'." in said
    assert "q  quit" in said


def test_input_after_q_is_ignored(failed: Engine, typed: Typed) -> None:
    assert "Look again." not in typed(failed, "q", "h")


def test_a_verdict_is_recorded(lesson: Lesson, typed: Typed, said: Said) -> None:
    passed = verdict(lesson, Verdict.PASSED, Verdict.PASSED)

    typed(Engine(Started(lesson.slug, 1, 2), passed))

    assert "2 of 2 steps, finished" in said("list")[1]
