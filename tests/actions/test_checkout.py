"""What the keys of watch mode do to a checkout."""

from __future__ import annotations

import queue
import threading
import webbrowser

import httpx2
import pytest

from tests.tiny import GOOD, STARTER
from workshop.actions.checkout import CheckoutActions
from workshop.cli import place
from workshop.grading import LessonVerdict
from workshop.lesson import Lesson
from workshop.screen.watch.actions import ActionError
from workshop.watch import Finished


@pytest.fixture
def actions(lesson: Lesson) -> CheckoutActions:
    """A actions for the tiny checkout."""
    return CheckoutActions()


def test_records_are_available_to_the_next_process(
    actions: CheckoutActions, lesson: Lesson
) -> None:
    counts = [actions.next_hint(lesson, 1) for _ in range(4)]
    actions.note_solution(lesson)
    actions.note_shown(lesson, 2)
    actions.record(Finished(lesson.slug, 1, LessonVerdict(lesson, (), 0.1), "a hash"))
    record = CheckoutActions().state().of(lesson.slug)

    assert counts == [1, 2, 3, 3]
    assert record.hints == {1: 3}
    assert record.solution_seen
    assert set(record.shown) == {2}
    assert record.content == "a hash"


def test_reset_and_undo_name_the_key_that_reverts_them(
    actions: CheckoutActions, lesson: Lesson
) -> None:
    lesson.app_file.write_text(GOOD, encoding="utf-8")

    said = actions.reset(lesson)
    after_reset = lesson.app_file.read_text("utf-8")
    actions.undo(lesson)

    assert "app.py is now the starter. To undo this: press u." in said
    assert "Your files are kept in .workshop" in said
    assert after_reset == STARTER
    assert lesson.app_file.read_text("utf-8") == GOOD


def test_undo_without_a_replacement_is_an_error(
    actions: CheckoutActions, lesson: Lesson
) -> None:
    with pytest.raises(ActionError, match="nothing to undo"):
        actions.undo(lesson)


def test_a_lesson_without_scenes_has_no_timelines(
    actions: CheckoutActions, lesson: Lesson
) -> None:
    assert list(actions.timelines(lesson)) == []


def test_two_simultaneous_starts_serve_the_app_once(
    actions: CheckoutActions, lesson: Lesson, monkeypatch: pytest.MonkeyPatch
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
    actions: CheckoutActions, lesson: Lesson
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
    actions: CheckoutActions,
    lesson: Lesson,
    monkeypatch: pytest.MonkeyPatch,
    window: bool,
) -> None:
    opened: queue.SimpleQueue[str] = queue.SimpleQueue()
    monkeypatch.setattr(webbrowser, "open", opened.put)
    monkeypatch.setattr("workshop.actions.checkout._has_window_browser", lambda: window)
    unbuilt = actions.browse(lesson)
    page = place.ROOT / "site" / "lessons" / "90_seats.html"
    page.parent.mkdir(parents=True)
    page.write_text("<h1>Seats</h1>", encoding="utf-8")
    address = actions.browse(lesson)

    assert unbuilt == ""
    assert address == (page.as_uri() if window else "")
    if window:
        assert opened.get(timeout=30) == address
    assert opened.empty()
