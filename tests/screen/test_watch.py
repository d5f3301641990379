"""What a learner sees in watch mode, and what the keys do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.events import Key

from tests.screen.stage import (
    FAILED,
    PASSED,
    PlayedActions,
    Stage,
    raised,
    write_lessons,
)
from workshop.grading import Verdict
from workshop.lesson import Lesson
from workshop.screen.watch.keys import IN_ROOM, KEYS
from workshop.watch import Ended, Missing, Trouble, Watching
from workshop.watch.session import BY_KEY, SUPERSEDED


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in the checkout, and type python rather than make."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAKELEVEL", raising=False)


def status(text: str) -> str:
    """Return the status line."""
    return next(
        line
        for line in text.splitlines()
        if any(word in line for word in ("Checking:", "Failed:", "Passed:", "Missing:"))
    )


async def test_every_state_has_a_word_and_a_shape(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        before = stage.text
        after = await stage.save(PASSED, FAILED, seen="GET /nothing answered 200.")

    assert "· 1 not tried   · 2 not tried" in before
    assert "✓ 1 passed   ✗ 2 failed ◂" in after
    assert "✗ Step 2 · Nothing is nowhere: failed" in after
    assert "GET /nothing answered 200." in after
    assert "✗ Failed: 1 of 2 steps passed" in status(after)
    assert "1 of 2 steps   Course" in after
    assert "0 of 2 lessons" in after


async def test_the_last_verdict_stays_during_a_run(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path) as stage:
        await stage.save(FAILED, FAILED, seen="Two seats were lost.")
        begun = await stage.begin()
        first = await stage.test()
        second = await stage.test()
        after = await stage.finish(PASSED, FAILED, seen="Nothing was found.")

    assert "Two seats were lost." in begun
    assert "last verdict stays" in status(begun)
    assert "test 1 of 2" in status(first)
    assert "test 2 of 2" in status(second)
    assert "Two seats were lost." in second
    assert "Two seats were lost." not in after
    assert "✓ Step 1 passed." in after


async def test_the_current_step_is_shown_while_the_others_run(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        await stage.save(PASSED, FAILED, seen="Two seats were lost.")
        await stage.begin()
        failed = await stage.judge_step(2, FAILED, seen="Three seats were lost.")
        after = await stage.finish(PASSED, FAILED, seen="Four seats were lost.")
        await stage.begin()
        passed = await stage.judge_step(2, PASSED)

    assert "Three seats were lost." in failed
    assert "Two seats were lost." not in failed
    assert "Step 2: failed" in status(failed)
    assert "Four seats were lost." in after
    assert "Step 2: passed" in status(passed)
    assert "Four seats were lost." in passed


async def test_a_step_that_no_longer_passes_is_reported(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        await stage.save(PASSED, FAILED)
        text = await stage.save(FAILED, FAILED)

    assert "✗ Step 1 passed before, but no longer." in text


async def test_a_passed_lesson_stays_until_n(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        passed = await stage.save(PASSED, PASSED)
        again = await stage.save(PASSED, PASSED)
        told = list(stage.session.told)
        gone_on = await stage.press("n")

    assert "✓ Lesson 90 · Seats: passed" in passed
    assert "Seats are counted." in passed
    assert "n goes to lesson 91 · Halls." in passed
    assert "✓ Passed: all 2 steps" in status(passed)
    assert passed == again
    assert told == ["start"]
    assert stage.session.told[-1] == "change 91"
    assert "Lesson 91 · Halls" in gone_on


async def test_n_names_the_open_step_of_an_unfinished_lesson(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path) as stage:
        await stage.save(PASSED, FAILED)
        text = await stage.press("n")

    assert "Step 2 has not passed yet: Nothing is nowhere." in text
    assert stage.session.told == ["start"]


async def test_n_after_the_last_open_lesson_congratulates(tmp_path: Path) -> None:
    actions = PlayedActions(tmp_path, write_lessons(tmp_path))
    actions.remember("91_halls", passed={1: "then", 2: "then"})
    async with raised(tmp_path, actions=actions) as stage:
        passed = await stage.save(PASSED, PASSED)
        text = await stage.press("n")

    assert "You have finished every lesson." in passed
    assert "You have finished every lesson." in text
    assert stage.session.told == ["start"]


async def test_keys_work_during_a_run(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        await stage.save(FAILED, FAILED)
        await stage.begin()
        hint = await stage.press("h")
        await stage.press("k", "r")

    assert "Hint 1 of 3" in hint
    assert "Checking:" in status(hint)
    assert stage.session.told == ["start", "end run", "rerun"]


async def test_a_new_event_does_not_scroll_the_message_away(tmp_path: Path) -> None:
    long = " ".join(f"seat{number}" for number in range(400))
    async with raised(tmp_path) as stage:
        await stage.save(FAILED, FAILED, seen=long)
        scrolled = await stage.press("pagedown")
        begun = await stage.begin()
        await stage.test()
        after = await stage.finish(FAILED, FAILED, seen=f"{long} and one more")
        other_step = await stage.save(PASSED, FAILED, seen=long)

    def message(text: str) -> list[str]:
        return text.splitlines()[4:18]

    assert "seat200" in "".join(message(scrolled))
    assert "Test" not in "".join(message(scrolled))
    assert message(begun) == message(scrolled)
    assert message(after) == message(scrolled)
    assert "✗ Step 2 · Nothing is nowhere" in message(other_step)[0]


async def test_an_open_hint_stays_until_its_step_has_passed(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        await stage.save(FAILED, FAILED)
        await stage.press("h")
        same = await stage.save(FAILED, FAILED)
        next_step = await stage.save(PASSED, FAILED)

    assert "Hint 1 of 3" in same
    assert "Hint 1 of 3" not in next_step
    assert "✗ Step 2" in next_step


async def test_hints_come_one_by_one_and_then_the_change_on_request(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path, size=(80, 40)) as stage:
        await stage.save(FAILED, FAILED)
        first = await stage.press("h")
        third = await stage.press("h", "h")
        asked = await stage.press("h")
        refused = await stage.press("x")
        shown_before = stage.actions.state().of("90_seats").shown
        shown = await stage.press("h", "y")

    assert "Look." in first
    assert "Think." not in first
    assert "Write." in third
    assert "Show the change for step 1?" in asked
    assert "Nothing was changed." in refused
    assert not shown_before
    assert '+    return {"free": 2}' in shown
    assert set(stage.actions.state().of("90_seats").shown) == {1}


async def test_p_asks_for_a_prediction_and_then_shows_the_answer(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path) as stage:
        verdict = await stage.save(FAILED, FAILED, seen="Two seats were lost.")
        asked = await stage.press("p")
        answered = await stage.press("p")
        closed = await stage.press("p")

    assert " p  predict" in verdict
    assert "Who gets it?" in asked
    assert "Both." in asked
    assert "409" not in asked
    assert "The second one gets a 409." in answered
    assert "Both." in answered  # the answer may name the others by their letter
    assert "Two seats were lost." in closed


async def test_a_closed_question_is_asked_again_before_its_answer(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path) as stage:
        await stage.press("p", "escape")
        again = await stage.press("p")

    assert "Who gets it?" in again
    assert "409" not in again


async def test_the_next_verdict_is_not_covered_by_the_question(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        await stage.save(FAILED, FAILED)
        await stage.press("p")
        text = await stage.save(FAILED, FAILED, seen="Two seats were lost.")

    assert "Two seats were lost." in text


async def test_a_lesson_without_a_question_says_so(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        (tmp_path / "docs" / "lessons" / "90_seats.md").unlink()
        text = await stage.press("p")

    assert "does not ask for a prediction" in text


async def test_seen_hints_open_before_a_new_one_is_shown(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path) as stage:
        await stage.save(FAILED, FAILED)
        await stage.press("h", "escape")
        again = await stage.press("h")

    assert "Look." in again
    assert "Think." not in again


async def test_a_shown_solution_is_recorded(tmp_path: Path) -> None:
    async with raised(tmp_path, size=(80, 40)) as stage:
        await stage.save(FAILED, FAILED)
        text = await stage.press("s", "y")
        closed = await stage.press("s")

    assert '+    return {"free": 2}' in text
    assert "Two seats are free." in text
    assert "Two seats are free." not in closed
    assert stage.actions.done.count("solution") == 1


async def test_a_solution_asks_first_while_a_step_is_open(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path, size=(80, 40)) as stage:
        await stage.save(FAILED, FAILED)
        asked = await stage.press("s")
        refused = await stage.press("n")
        noted = stage.actions.done.count("solution")
        await stage.press("s", "y", "s")
        again = await stage.press("s")

    assert "Show the solution of every step?" in asked
    assert "y: yes" in asked
    assert "Two seats are free." not in refused
    assert noted == 0
    assert "Two seats are free." in again


async def test_a_solution_opens_at_once_when_every_step_has_passed(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path, size=(80, 40)) as stage:
        await stage.save(PASSED, PASSED)
        text = await stage.press("s")

    assert "Two seats are free." in text


@pytest.mark.parametrize("key", ["n", "x", "q", "escape", "enter"])
async def test_any_key_but_y_leaves_the_file_alone(tmp_path: Path, key: str) -> None:
    async with raised(tmp_path) as stage:
        asked = await stage.press("x")
        text = await stage.press(key)

    assert "Put the starter back as lessons/90_seats/app.py?" in asked
    assert "Nothing was changed." in text
    assert "reset" not in stage.actions.done


async def test_a_reset_says_where_the_copy_is(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        text = await stage.press("x", "y")

    assert "reset" in stage.actions.done
    assert "To undo this: press u." in text
    assert "Your files are kept in" in text


async def test_the_message_of_a_reset_disappears_after_the_next_edit(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path) as stage:
        await stage.save(FAILED, FAILED)
        await stage.press("x", "y")
        starter = await stage.save(FAILED, FAILED)
        edited = await stage.save(PASSED, FAILED)

    assert "Your files are kept in" in starter
    assert "Your files are kept in" not in edited


async def test_a_failed_action_says_why(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        text = await stage.press("u")

    assert "! There is nothing to undo." in text


async def test_a_missing_file_is_reported_until_it_is_back(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        await stage.save(FAILED, FAILED)
        lesson = stage.session.lesson
        gone = await stage.tell(Missing(lesson.slug, lesson.app_file))
        back = await stage.begin()

    assert "! Missing: lessons/90_seats/app.py" in status(gone)
    assert "Save it again, or press x" in " ".join(gone.split())
    assert "Save it again" not in back


async def test_polling_is_reported_with_its_reason(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        lesson = stage.session.lesson
        before = stage.text
        reason = "The folder is mounted from elsewhere."
        text = await stage.tell(Watching(lesson.slug, lesson.app_file, True, reason))

    assert "watching" in before.splitlines()[0]
    assert "polling" in text.splitlines()[0]
    assert f"Watching by polling. {reason}" in text


async def test_trouble_is_reported_beside_the_verdict(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        await stage.save(FAILED, FAILED, seen="Two seats were lost.")
        slug = stage.session.lesson.slug
        text = await stage.tell(Trouble(slug, "The disk is full."))

    assert "! The disk is full." in text
    assert "Two seats were lost." in text


async def test_stopping_a_run_keeps_the_verdict_and_says_so(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path) as stage:
        await stage.save(FAILED, FAILED, seen="Two seats were lost.")
        await stage.begin()
        slug = stage.session.lesson.slug
        ended = await stage.tell(Ended(slug, 2, BY_KEY))
        await stage.begin()
        superseded = await stage.tell(Ended(slug, 3, SUPERSEDED))

    assert "Two seats were lost." in ended
    assert "You ended it. The last verdict stays." in ended
    assert "Checking:" in status(superseded)


async def test_a_lesson_is_found_by_its_number_or_a_word(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        await stage.save(FAILED, FAILED)
        everything = await stage.press("l")
        by_number = await stage.press("9", "1")
        await stage.press("backspace")
        await stage.press("backspace")
        by_word = await stage.press("S", "e", "a")
        nothing = await stage.press("q")
        back = await stage.press("escape")
        await stage.press("l")
        gone = await stage.press("down", "enter")

    assert "90  Seats" in everything
    assert "0 of 2  open" in everything
    assert "91  Halls" in everything
    assert "91  Halls" in by_number
    assert "90  Seats" not in by_number
    assert "90  Seats" in by_word
    assert "91  Halls" not in by_word
    assert "No lesson has 'Seaq'." in nothing
    assert "Lesson 90 · Seats" in back
    assert "Lesson 91 · Halls" in gone
    assert stage.session.told == ["start", "change 91"]


async def test_a_verdict_is_recorded_before_it_is_shown(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        await stage.begin()
        lesson = stage.session.lesson
        await stage.finish(PASSED, FAILED)
        record = stage.actions.state().of(lesson.slug)

    assert record.verdicts == {1: "passed", 2: "failed"}
    assert record.content == "content 1"


async def test_a_verdict_on_the_previous_lesson_is_recorded_but_not_shown(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path) as stage:
        await stage.begin()
        left = stage.session.lesson
        await stage.press("l", "9", "1", "enter")
        stage.session.lesson = left
        await stage.finish(PASSED, PASSED)
        text = await stage.tell(Missing(left.slug, left.app_file))

    assert "Lesson 91 · Halls" in text
    assert "passed   " not in text
    assert "Missing" not in text
    assert stage.actions.state().of(left.slug).is_finished(2)


async def test_the_app_is_served_shown_and_stopped(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        await stage.save(FAILED, FAILED)
        served = await stage.press("a")
        assert stage.actions.log is not None
        stage.actions.log("Ann bought seat A1")
        printed = await stage.settled()
        stopped = await stage.press("a")

    assert "http://127.0.0.1:7357/docs" in served
    assert "stop app" in served
    assert "Ann bought seat A1" in printed
    assert "7357" not in stopped
    assert "The app is stopped." in stopped
    assert stage.actions.done[-2:] == ["serve", "stop serving"]


async def test_the_address_is_shown_when_the_app_accepts_connections(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path) as stage:
        stage.actions.accepts = False
        await stage.save(FAILED, FAILED)
        early = await stage.press("a")
        assert stage.actions.log is not None
        assert stage.actions.accept is not None
        stage.actions.log("SyntaxError: invalid syntax")
        printed = await stage.settled()
        stage.actions.accept("http://127.0.0.1:7357")
        shown = await stage.settled()
        await stage.press("a")
        stage.actions.accept("http://127.0.0.1:7357")
        stopped = await stage.settled()

    assert "/docs" not in early + printed
    assert "stop app" in early
    assert "SyntaxError: invalid syntax" in printed
    assert "http://127.0.0.1:7357/docs" in shown
    assert "7357" not in stopped


async def test_an_app_can_be_stopped_before_it_accepts_connections(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path) as stage:
        stage.actions.accepts = False
        await stage.save(FAILED, FAILED)
        await stage.press("a")
        stopped = await stage.press("a")

    assert "The app is stopped." in stopped
    assert stage.actions.done[-2:] == ["serve", "stop serving"]


async def test_a_timeline_is_recorded_again_at_every_save_while_it_is_open(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path) as stage:
        await stage.save(FAILED, FAILED)
        first = await stage.press("t")
        second = await stage.press("t")
        await stage.save(FAILED, FAILED)
        await stage.press("escape")
        await stage.save(FAILED, FAILED)
        recorded = [
            action for action in stage.actions.done if action.startswith("timeline")
        ]

    assert "The doors open" in first
    assert "ask_venue()" in first
    assert "The doors close" in second
    assert recorded == ["timeline open", "timeline close", "timeline close"]


async def test_an_app_whose_lesson_was_left_during_its_start_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raised(tmp_path) as stage:
        go = threading.Event()

        def serve(
            lesson: Lesson, listen: object, accept: Callable[[str], None]
        ) -> None:
            assert go.wait(60)
            accept("http://127.0.0.1:7357")

        monkeypatch.setattr(stage.actions, "serve", serve)
        stage.app.post_message(Key("a", "a"))
        for key in ("l", "9", "1", "enter"):
            stage.app.post_message(Key(key, key if len(key) == 1 else None))
        go.set()
        text = await stage.settled()

    assert "Lesson 91 · Halls" in text
    assert "7357" not in text
    assert "stop serving" in stage.actions.done


async def test_a_failed_service_is_reported_and_can_be_retried(
    tmp_path: Path,
) -> None:
    actions = PlayedActions(
        tmp_path, write_lessons(tmp_path), trouble="Redis did not start."
    )
    async with raised(tmp_path, actions=actions) as stage:
        text = await stage.settled()
        actions.trouble = ""
        again = await stage.press("r")

    assert "! Redis did not start." in text
    assert "The tests are not running. r tries again." in text
    assert "Redis" not in again
    assert actions.done[-1] == "enter 90"


async def test_an_unreadable_lesson_is_not_opened(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        stage.actions.there[1].test_file.write_text("", encoding="utf-8")
        await stage.press("l")
        text = await stage.press("down", "enter")

    assert "holds no tests" in text
    assert "Lesson 90 · Seats" in text


async def test_the_page_is_shown_here_without_a_browser(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        text = await stage.press("d")

    assert "Wrap-up" in text


async def test_a_brief_that_covers_the_verdict_closes_with_the_next_one(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path, size=(80, 40)) as stage:
        first = await stage.save(FAILED, FAILED, seen="Two seats were lost.")
        covered = await stage.press("b")
        later = await stage.save(FAILED, FAILED, seen="A seat was lost.")

    assert "Two seats were lost." in first
    assert "Two seats were lost." not in covered
    assert "A seat was lost." in later


async def test_a_new_lesson_opens_its_brief_and_a_pass_closes_it(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path, tried=False) as stage:
        before = stage.text
        failed = await stage.save(FAILED, FAILED, seen="Two seats were lost.")
        closed = await stage.press("escape")
        await stage.press("b")
        passed = await stage.save(PASSED, PASSED)

    assert "GET /seats must tell how many seats are free." in before
    assert "Customers cannot see how many seats are free." in failed
    assert "✗ Failed: 0 of 2 steps" in status(failed)
    assert "Two seats were lost." in closed
    assert "✓ Lesson 90 · Seats: passed" in passed


async def test_question_mark_explains_every_key(tmp_path: Path) -> None:
    async with raised(tmp_path, size=(80, 40)) as stage:
        text = await stage.press("question_mark")

    for key in KEYS:
        assert key.sentence in text


@pytest.mark.parametrize("size", [(80, 24), (60, 24), (120, 40)])
async def test_everything_important_is_visible_at_this_size(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with raised(tmp_path, size=size) as stage:
        text = await stage.save(FAILED, FAILED, seen="Two seats were lost.")
        beside = await stage.press("h")

    for key in KEYS:
        shown_later = ("catch up", "undo", "end run", "timeline")
        if key.word not in shown_later and key.action not in IN_ROOM:
            assert f" {key.letter}  {key.word}" in text
    assert "✗ 1 failed" in text
    assert "Two seats were lost." in text
    assert "✗ Failed: 0 of 2 steps passed" in text
    assert "2 lessons" in text
    # A hint stands beside the verdict only where there is room for both.
    assert ("Two seats were lost." in beside) == (size[0] == 120)


async def test_the_screen_adapts_to_a_resized_terminal(
    tmp_path: Path,
) -> None:
    async with raised(tmp_path, size=(120, 40)) as stage:
        await stage.save(FAILED, FAILED, seen="Two seats were lost.")
        await stage.press("h")
        sizes = [(60, 24), (20, 5), (120, 40)]
        small, tiny, wide = [await stage.resize(*size) for size in sizes]

    assert "✗ 1 failed ◂   ✗ 2 failed" in small
    assert " q  quit" in small
    assert "Two seats were lost." not in small
    assert "✗ 1 failed" in tiny
    assert "✗ 1 failed    The free seats are shown ◂" in wide
    assert "Two seats were lost." in wide


async def test_a_failure_shared_by_all_tests_is_shown_once(tmp_path: Path) -> None:
    async with raised(tmp_path) as stage:
        text = await stage.save(Verdict.ERROR, Verdict.ERROR, seen="A bracket is open.")

    assert "! No test could run: error" in text
    assert text.count("A bracket is open.") == 1


@pytest.mark.parametrize("key", ["q", "Q", "ctrl+c", "ctrl+d"])
async def test_quitting_takes_one_key(tmp_path: Path, key: str) -> None:
    async with raised(tmp_path) as stage:
        await stage.begin()
        await stage.pilot.press(key)

    assert stage.app.return_code == 0


def _colours(stage: Stage) -> set[int | str]:
    """Return the colours on the screen that are not the terminal's own."""
    strips = stage.app.screen._compositor.render_strips()
    styles = [piece.style for strip in strips for piece in strip if piece.style]
    return {
        colour.name if colour.number is None else colour.number
        for style in styles
        for colour in (style.color, style.bgcolor)
        if colour is not None and not colour.is_default
    }


async def test_no_color_is_honoured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raised(tmp_path / "a") as stage:
        await stage.save(PASSED, FAILED)
        with_colour = _colours(stage)
    monkeypatch.setenv("NO_COLOR", "1")
    async with raised(tmp_path / "b") as stage:
        await stage.save(PASSED, FAILED)
        without = _colours(stage)

    red, green = 1, 2
    assert {red, green} <= with_colour
    assert not without
