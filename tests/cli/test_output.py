"""What the command line prints and keeps: no control codes, no passwords, and all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny import GOOD
from workshop import paths
from workshop.lesson import Lesson

Said = Callable[..., tuple[int, str, str]]

NOISY = GOOD.replace(
    "    return",
    "    for number in range(300):\n        print('\\x1b[31mline', number)\n    return",
).replace('"free": 2', '"free": 3')


def test_the_complete_output_is_saved_and_its_file_named(
    lesson: Lesson, said: Said
) -> None:
    lesson.app_file.write_text(NOISY, encoding="utf-8")

    _, out, _ = said("test", "90")

    file = paths.home() / "output" / "90_seats.txt"
    assert (
        "[... 292 lines left out; all of it: .workshop/output/90_seats.txt ...]" in out
    )
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "=== step 1, test_the_free_seats_are_shown: failed ==="
    assert lines[1:] == [f"line {number}" for number in range(300)]


def test_a_silent_run_deletes_the_output_of_an_earlier_one(
    lesson: Lesson, said: Said
) -> None:
    lesson.app_file.write_text(NOISY, encoding="utf-8")
    said("test", "90")
    lesson.app_file.write_text(GOOD, encoding="utf-8")
    said("test", "90")

    assert list((paths.home() / "output").iterdir()) == []


def test_a_diff_shows_control_codes_as_escapes(lesson: Lesson, said: Said) -> None:
    tricky = GOOD + "# \x1b[2J \u202e\n"
    lesson.app_file.write_text(tricky, encoding="utf-8")

    _, out, _ = said("solution", "90")

    assert "-# \\x1b[2J \\u202e" in out


def test_control_codes_in_a_file_name_are_removed(tmp_path: Path, said: Said) -> None:
    other = tmp_path / "a\x1b[2Jb.py"
    other.write_text(GOOD, encoding="utf-8")

    _, out, err = said("test", "90", "--file", str(other))
    _, _, missing = said("test", "90", "--file", "a\x1b]0;t\x07b.py")

    assert "\x1b" not in out + err
    assert missing == "There is no file ab.py.\n"


def test_a_failure_of_the_tool_is_reported_without_passwords(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "postgresql://ann:pa/ssword#1@host/db"
    monkeypatch.setenv("WORKSHOP_DATABASE_URL", address)

    def fail(*_: object) -> None:
        local = address
        raise ValueError(f"port 'pa' of {local}, or /ssword#1@host")

    monkeypatch.setattr("workshop.course.store", fail)

    code, _, err = said("list")

    kept = (paths.home() / "failure.txt").read_text(encoding="utf-8")
    assert code == 3
    for text in (err, kept):
        assert "port '***' of postgresql://***@host/db, or /***@host" in text
        assert "ssword" not in text


def test_debugging_needs_a_terminal(said: Said) -> None:
    for words in (("test", "90", "--debug"), ("run", "90", "--debug")):
        code, _, err = said(*words)

        assert code == 2
        assert "--debug needs a terminal" in err


def test_a_breakpoint_in_a_run_names_the_debug_command(
    lesson: Lesson, said: Said
) -> None:
    text = GOOD.replace("    return", "    breakpoint()\n    return")
    lesson.app_file.write_text(text, encoding="utf-8")

    code, out, _ = said("test", "90")

    assert code == 1
    assert "Step 1 · The free seats are shown: stopped" in out
    assert "python -m workshop test 90 --debug" in out
    assert said("list")[0] == 0  # the record can be read again
