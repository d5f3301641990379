"""What the keys of watch mode do to a checkout."""

from __future__ import annotations

import queue
import threading
import webbrowser

import pytest

from tests.tiny import GOOD, STARTER
from workshop.cli import place
from workshop.cli.desk import CheckoutDesk
from workshop.grading import LessonVerdict
from workshop.lesson import Lesson
from workshop.screen.watch.desk import DeedError
from workshop.watch import Finished


@pytest.fixture
def desk(lesson: Lesson) -> CheckoutDesk:
    """A desk in the tiny checkout."""
    return CheckoutDesk()


def test_what_is_noted_is_there_for_the_next_program(
    desk: CheckoutDesk, lesson: Lesson
) -> None:
    counts = [desk.next_hint(lesson, 1) for _ in range(4)]
    desk.note_solution(lesson)
    desk.note_shown(lesson, 2)
    desk.record(Finished(lesson.slug, 1, LessonVerdict(lesson, (), 0.1), "a hash"))
    record = CheckoutDesk().state().of(lesson.slug)

    assert counts == [1, 2, 3, 3]
    assert record.hints == {1: 3}
    assert record.solution_seen
    assert set(record.shown) == {2}
    assert record.content == "a hash"


def test_reset_and_undo_say_how_to_go_back_by_a_key(
    desk: CheckoutDesk, lesson: Lesson
) -> None:
    lesson.app_file.write_text(GOOD, encoding="utf-8")

    said = desk.reset(lesson)
    after_reset = lesson.app_file.read_text("utf-8")
    desk.undo(lesson)

    assert "app.py is now the starter. To undo this: press u." in said
    assert "Your files are kept in .workshop" in said
    assert after_reset == STARTER
    assert lesson.app_file.read_text("utf-8") == GOOD


def test_nothing_to_take_back_is_an_error_in_words(
    desk: CheckoutDesk, lesson: Lesson
) -> None:
    with pytest.raises(DeedError, match="nothing to undo"):
        desk.undo(lesson)


def test_a_lesson_without_scenes_has_no_timelines(
    desk: CheckoutDesk, lesson: Lesson
) -> None:
    assert list(desk.timelines(lesson)) == []


def test_an_app_that_is_started_twice_at_once_is_served_once(
    desk: CheckoutDesk, lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: set[object] = set()
    again = threading.Thread(target=desk.serve, args=(lesson, print))

    class Played:
        address = "http://127.0.0.1:7357"

        def __init__(self, *_: object, **__: object) -> None:
            if not again.ident:
                again.start()
                again.join(0.2)  # the second start gets all the time it needs
            served.add(self)

        def close(self) -> None:
            served.discard(self)

    monkeypatch.setattr("workshop.cli.served.Served", Played)
    desk.serve(lesson, print)
    again.join()
    running = len(served)
    desk.close()

    assert running == 1
    assert not served


@pytest.mark.parametrize("window", [True, False])
def test_a_page_opens_in_a_window_and_never_in_this_terminal(
    desk: CheckoutDesk,
    lesson: Lesson,
    monkeypatch: pytest.MonkeyPatch,
    window: bool,
) -> None:
    opened: queue.SimpleQueue[str] = queue.SimpleQueue()
    monkeypatch.setattr(webbrowser, "open", opened.put)
    monkeypatch.setattr("workshop.cli.desk._has_window_browser", lambda: window)
    unbuilt = desk.browse(lesson)
    page = place.ROOT / "site" / "lessons" / "90_seats.html"
    page.parent.mkdir(parents=True)
    page.write_text("<h1>Seats</h1>", encoding="utf-8")
    address = desk.browse(lesson)

    assert unbuilt == ""
    assert address == (page.as_uri() if window else "")
    if window:
        assert opened.get(timeout=30) == address
    assert opened.empty()
