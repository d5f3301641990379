"""What the actions of a learner do to a checkout."""

from __future__ import annotations

import queue
import threading
import webbrowser

import httpx2
import pytest

from tests.tiny import GOOD, STARTER
from workshop import paths
from workshop.actions import lesson_pages
from workshop.actions.errors import ActionError
from workshop.actions.learner import LearnerActions
from workshop.grading import LessonVerdict
from workshop.lesson import Lesson


@pytest.fixture
def actions(lesson: Lesson) -> LearnerActions:
    """The actions in the tiny checkout."""
    return LearnerActions()


def test_what_is_noted_is_there_for_the_next_program(
    actions: LearnerActions, lesson: Lesson
) -> None:
    hints = [actions.next_hint(lesson, 1) for _ in range(4)]
    actions.solution(lesson)
    actions.show_change(lesson, 2)
    actions.record(LessonVerdict(lesson, (), 0.1), "a hash")
    record = LearnerActions().state().of(lesson.slug)

    assert [it.seen for it in hints] == [1, 2, 3, 3]
    assert [it.is_new for it in hints] == [True, True, True, False]
    assert record.hints == {1: 3}
    assert record.solution_seen
    assert set(record.shown) == {2}
    assert record.content == "a hash"


def test_a_reset_keeps_the_file_and_undo_restores_it(
    actions: LearnerActions, lesson: Lesson
) -> None:
    lesson.app_file.write_text(GOOD, encoding="utf-8")

    done = actions.reset(lesson)
    after_reset = lesson.app_file.read_text("utf-8")
    actions.undo(lesson)

    assert done.kept is not None
    assert done.kept.app_file.read_text("utf-8") == GOOD
    assert after_reset == STARTER
    assert lesson.app_file.read_text("utf-8") == GOOD


def test_nothing_to_take_back_is_an_error_in_words(
    actions: LearnerActions, lesson: Lesson
) -> None:
    with pytest.raises(ActionError, match="nothing to undo"):
        actions.undo(lesson)


def test_a_lesson_without_a_scenario_has_no_scenes(
    actions: LearnerActions, lesson: Lesson
) -> None:
    assert list(actions.scenes(lesson)) == []


def test_an_app_that_is_started_twice_at_once_is_served_once(
    actions: LearnerActions, lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: set[object] = set()
    again = threading.Thread(target=actions.serve, args=(lesson, print, print))

    class Played:
        address = "http://127.0.0.1:7357"

        def __init__(self, *_: object, **__: object) -> None:
            if not again.ident:
                again.start()
                again.join(0.2)  # the second start gets all the time it needs
            served.add(self)

        def wait_until_it_accepts(self) -> bool:
            return False

        def close(self) -> None:
            served.discard(self)

    monkeypatch.setattr("workshop.actions.serving.Served", Played)
    actions.serve(lesson, print, print)
    again.join()
    running = len(served)
    actions.close()

    assert running == 1
    assert not served


def test_an_address_is_told_when_the_app_answers_there(
    actions: LearnerActions, lesson: Lesson
) -> None:
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    lesson.app_file.write_text("broken(", encoding="utf-8")
    log: queue.SimpleQueue[str] = queue.SimpleQueue()
    actions.serve(lesson, log.put, told.put)
    try:
        while "SyntaxError" not in log.get(timeout=60):
            pass
        early = told.empty()
        lesson.app_file.write_text(GOOD, encoding="utf-8")
        address = told.get(timeout=60)
        with httpx2.Client(trust_env=False) as client:
            answer = client.get(f"{address}/seats").json()
    finally:
        actions.close()

    assert early
    assert answer == {"free": 2}


@pytest.mark.parametrize("window", [True, False])
def test_a_page_opens_in_a_window_and_never_in_this_terminal(
    actions: LearnerActions,
    lesson: Lesson,
    monkeypatch: pytest.MonkeyPatch,
    window: bool,
) -> None:
    opened: queue.SimpleQueue[str] = queue.SimpleQueue()
    monkeypatch.setattr(webbrowser, "open", opened.put)
    monkeypatch.setattr(lesson_pages, "_has_window_browser", lambda: window)
    unbuilt = actions.browse(lesson)
    page = paths.ROOT / "site" / "lessons" / "90_seats.html"
    page.parent.mkdir(parents=True)
    page.write_text("<h1>Seats</h1>", encoding="utf-8")
    address = actions.browse(lesson)

    assert unbuilt == ""
    assert address == (page.as_uri() if window else "")
    if window:
        assert opened.get(timeout=30) == address
    assert opened.empty()
