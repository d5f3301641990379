"""Every verb by its words, its output and its exit code."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny import GOOD, STARTER, STATE_1
from workshop.lesson import Lesson

Said = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["test", "91"], "There is no lesson '91'. The lessons are: 90."),
        (["test", "90", "91"], "One lesson at a time, please: 90 or 91, not both."),
        (["test"], "Which lesson? Add its number, one of: 90."),
        (["test", "90", "--solution", "--file", "x"], "Either --solution or --file"),
        (["test", "90", "--file", "none.py"], "There is no file none.py."),
        (["test", "90", "--nonsense"], "--nonsense"),
        (["hint", "90", "--step", "7"], "there is no step 7"),
        (["hint", "90", "--step", "0"], "there is no step 0"),
        (["test", "90", "--step", "3"], "there is no step 3"),
        (["test", "90", "--database", "oracle"], "oracle"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(
    words: list[str], sentence: str, said: Said
) -> None:
    code, out, err = said(*words)

    assert (code, out) == (2, "")
    assert sentence in err
    assert len(err.strip().splitlines()) == 1


def test_a_taken_port_is_reported_before_the_address(said: Said) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        code, out, err = said("run", "90", "--port", port)

    assert (code, out) == (2, "")
    assert err.startswith(f"Port {port} is taken")


def test_a_starter_fails_with_a_reason(said: Said) -> None:
    code, out, _ = said("test", "90")

    assert code == 1
    assert "Step 1 · The free seats are shown: failed" in out
    assert "A customer sees how many seats are free." in out
    assert 'GET /seats said {"free":0}.' in out
    assert "2 free seats." in out
    assert "0 of 2 steps passed" in out
    assert "python -m workshop hint 90" in out


def test_one_step_can_decide_the_exit_code(lesson: Lesson, said: Said) -> None:
    lesson.app_file.write_text(STATE_1, encoding="utf-8")

    first, told, _ = said("test", "90", "--step", "1")
    second, told_in_full, _ = said("test", "90", "--step", "2")

    assert (first, second) == (0, 1), told
    assert "Passed: step 1. 1 of 2 steps passed" in told
    assert "Step 2 · Nothing is nowhere: failed" in told
    assert "An unknown address is not found." not in told
    assert "An unknown address is not found." in told_in_full
    assert "Failed: step 2. 1 of 2 steps passed" in told_in_full
    assert "python -m workshop hint 90 --step 2" in told_in_full


def test_a_repaired_app_passes_and_is_recorded(lesson: Lesson, said: Said) -> None:
    lesson.app_file.write_text(GOOD, encoding="utf-8")

    code, out, _ = said("test", "90")

    assert code == 0
    assert "all 2 steps of lesson 90" in out
    assert "2 of 2 steps, finished" in said("list")[1]


def test_an_unused_database_option_is_noted(
    said: Said,
) -> None:
    _, _, err = said("test", "90", "--database", "postgres")

    assert err == "Lesson 90 uses no database, so --database changes nothing.\n"


def test_with_json_only_json_goes_to_standard_output(said: Said) -> None:
    code, out, _ = said("test", "90", "--json")

    told = json.loads(out)
    assert code == 1
    about_tests = ["edited_tests", "counts"]
    assert list(told) == ["lesson", "verdict", "seconds", *about_tests, "steps"]
    assert (told["edited_tests"], told["counts"]) == ([], True)
    assert (told["lesson"], told["verdict"]) == ("90_seats", "failed")
    first = told["steps"][0]
    assert (first["step"], first["title"]) == (1, "The free seats are shown")
    assert first["verdict"] == "failed"
    assert first["tests"][0]["id"] == "test_the_free_seats_are_shown"
    assert "2 free seats" in first["tests"][0]["message"]


def test_grading_the_solution_does_not_change_progress(said: Said) -> None:
    assert said("test", "90", "--solution")[0] == 0
    assert "0 of 2 steps" in said("list")[1]


def test_any_file_can_be_graded(tmp_path: Path, said: Said) -> None:
    other = tmp_path / "mine.py"
    other.write_text(GOOD, encoding="utf-8")

    assert said("test", "90", "--file", str(other))[0] == 0


def test_a_file_with_a_syntax_error_gets_an_error(lesson: Lesson, said: Said) -> None:
    lesson.app_file.write_text("def broken(:\n", encoding="utf-8")

    code, out, _ = said("test", "90")

    assert code == 1
    assert "not valid Python" in out
    assert "app.py:1" in out
    assert "Traceback" not in out


def test_what_the_app_printed_is_shown_with_the_failing_test(
    lesson: Lesson, said: Said
) -> None:
    noisy = STARTER.replace(
        "async def seats():", "async def seats():\n    print('counting seats')"
    )
    lesson.app_file.write_text(noisy, encoding="utf-8")

    assert "counting seats" in said("test", "90")[1]


def test_a_missing_app_names_the_reset_command(lesson: Lesson, said: Said) -> None:
    lesson.app_file.unlink()

    code, _, err = said("test", "90")

    assert code == 2
    assert "python -m workshop reset 90" in err


def test_the_brief_shows_the_scene_and_the_current_step(said: Said) -> None:
    code, out, _ = said("show", "90")

    assert code == 0
    assert "Customers cannot see how many seats are free." in out
    assert "Step 1 · The free seats are shown: not tried" in out
    assert "GET /seats must tell" in out
    assert "app.py" in out


def test_the_brief_shows_the_first_open_step(lesson: Lesson, said: Said) -> None:
    lesson.app_file.write_text(STATE_1, encoding="utf-8")
    said("test", "90")

    out = said("show", "90")[1]

    assert "Step 1 · The free seats are shown: passed" in out
    assert "Now: step 2 · Nothing is nowhere" in out


def test_hints_come_one_by_one_up_to_the_last(said: Said) -> None:
    texts = [said("hint", "90")[1] for _ in range(4)]

    assert "Look." in texts[0]
    assert "Think." in texts[1]
    assert "Write." in texts[2]
    assert "Write." in texts[3]
    assert "hint 1 of 3" in texts[0]
    assert "That was the last hint" in texts[2]


def test_a_hint_for_another_step_can_be_requested(said: Said) -> None:
    assert "Look again." in said("hint", "90", "--step", "2")[1]


def test_the_solution_shows_only_the_current_step(said: Said) -> None:
    code, out, _ = said("solution", "90")

    assert code == 0
    assert '+    return {"free": 2}' in out
    assert "Two seats are free." in out
    assert "async def nothing" not in [line[1:] for line in out.splitlines()]
    assert "Without a route" not in out
    assert "solution 90 --step 2" in out


def test_a_step_that_passes_is_compared_with_the_state_before_it(
    lesson: Lesson, said: Said
) -> None:
    lesson.app_file.write_text(f"# a note\n{STATE_1}", encoding="utf-8")
    said("test", "90")

    first, second = (said("solution", "90", "--step", n)[1] for n in "12")

    assert "a note" not in first
    assert '+    return {"free": 2}' in first
    assert "-# a note" in second
    assert "-async def nothing():" in second


def test_after_the_last_step_the_whole_difference_is_shown(
    lesson: Lesson, said: Said
) -> None:
    lesson.app_file.write_text(f"# a note\n{GOOD}", encoding="utf-8")
    said("test", "90")

    out = said("solution", "90")[1]

    assert "-# a note" in out
    assert "Two seats are free." not in out
    assert "solution 90 --step 1" in out


def test_every_step_is_shown_on_request(said: Said) -> None:
    out = said("solution", "90", "--all")[1]

    assert "Two seats are free." in out
    assert "Without a route" in out
    assert "-async def nothing():" in out


def test_all_and_one_step_of_the_solution_exclude_each_other(said: Said) -> None:
    code, _, err = said("solution", "90", "--all", "--step", "1")

    assert code == 2
    assert "--all or --step" in err


def test_the_list_shows_titles_minutes_and_progress(said: Said) -> None:
    code, out, _ = said("list")

    assert code == 0
    assert "90  Seats   5 min  0 of 2 steps" in out


def test_commands_are_shown_as_they_were_typed(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKELEVEL", "1")

    assert "make lesson-90 test" in said("show", "90")[1]


def test_a_broken_lesson_exits_with_3(lesson: Lesson, said: Said) -> None:
    lesson.test_file.write_text("", encoding="utf-8")

    code, _, err = said("test", "90")

    assert code == 3
    assert "holds no tests" in err


def test_a_defect_of_the_tool_is_reported_in_one_sentence(
    said: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr("workshop.grading.grade", broken)

    code, _, err = said("test", "90")

    assert code == 3
    assert "The workshop itself failed (ZeroDivisionError: by nought)." in err
    assert "Traceback" not in err
    assert "by nought" in (tmp_path / ".workshop" / "failure.txt").read_text("utf-8")
