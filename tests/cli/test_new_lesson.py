"""A new lesson works from the first minute, and nothing is overwritten for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiers import sampled
from workshop.check.rules.files import PLACEHOLDER
from workshop.lesson import Catalogue, Lesson

# What these look at is the same on every Python.
pytestmark = pytest.mark.one_python

Said = Callable[..., tuple[int, str, str]]


def below(root: Path) -> dict[str, bytes | None]:
    """Return all files and folders below *root* with their content."""
    return {
        path.relative_to(root).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in root.rglob("*")
        if "__pycache__" not in path.parts
    }


def test_all_files_of_a_new_lesson_are_written(said: Said, tmp_path: Path) -> None:
    before = below(tmp_path)

    code, out, err = said("new-lesson", "08_server_events", "--steps", "2")

    written = {name for name, text in below(tmp_path).items() if text is not None}
    assert (code, err) == (0, "")
    assert written - set(before) == {
        "lessons/08_server_events/README.md",
        "lessons/08_server_events/hints.md",
        "lessons/08_server_events/app.py",
        "lessons/08_server_events/test_server_events.py",
        "lessons/08_server_events/scenario.py",
        "solutions/08_server_events/README.md",
        "solutions/08_server_events/app.py",
        "solutions/08_server_events/steps/0.py",
        "solutions/08_server_events/steps/1.py",
        "tests/variants/08_server_events/variants.toml",
        "docs/lessons/08_server_events.md",
        "notebooks/08_server_events.py",
    }
    assert all(f"Wrote {name}" in out for name in written - set(before))
    lesson = Catalogue(tmp_path).find("8")
    assert (lesson.title, lesson.minutes, len(lesson.steps)) == ("Server events", 10, 2)


@pytest.mark.parametrize("steps", sampled(["1", "4", "9"]))
def test_its_starter_fails_each_step_and_its_solution_passes(
    steps: str, said: Said
) -> None:
    said("new-lesson", "08_rows", "--steps", steps)

    failed, out, _ = said("test", "08")
    passed, solution, _ = said("test", "08", "--solution")

    assert (failed, passed) == (1, 0)
    assert out.count(": failed") == int(steps)
    assert "Show 1 has free seats" in solution


@pytest.mark.slow
def test_the_gate_only_reports_unwritten_parts(said: Said) -> None:
    said("new-lesson", "08_rows", "--steps", "3")
    # The notebook is made by a verb of its own, which needs a kernel.
    finds = [
        line
        for line in said("check", "08", "--repeat", "3")[1].splitlines()
        if ": draft:" not in line
    ]

    assert [line.partition(": ")[2].partition(": ")[0] for line in finds[:-1]] == [
        *("variants", "variants", "notebook", "pictures"),
    ]


@pytest.mark.slow
def test_a_new_lesson_has_a_timeline_and_working_states(
    said: Said, tmp_path: Path
) -> None:
    said("new-lesson", "08_rows", "--steps", "3")

    for repaired in range(3):
        answer = f"solutions/08_rows/steps/{repaired}.py"
        _, out, _ = said("test", "08", "--file", str(tmp_path / answer))
        assert out.count(": failed") == 3 - repaired
    assert said("timeline", "08")[0] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["08"], "13_races"),
        (["8_rows"], "13_races"),
        (["08_Rows"], "13_races"),
        (["08_rows_"], "13_races"),
        (["08-rows"], "13_races"),
        (["08_1"], "13_races"),
        (["../08_rows"], "13_races"),
        (["08_rows/x"], "13_races"),
        (["08_r\u00f6ws"], "13_races"),
        (["08_rows\n"], "13_races"),
        (["08_" + "a" * 60], "13_races"),
        ([""], "13_races"),
        (["90_rows"], "lessons/90_seats already has the number 90. 91 is free."),
        (["08_seats"], "lessons/90_seats already has that name"),
        (["08_rows", "--steps", "0"], "1 to 9 steps"),
        (["08_rows", "--steps", "-1"], "1 to 9 steps"),
        (["08_rows", "--steps", "10"], "1 to 9 steps"),
        (["08_rows", "--steps", "many"], "'many' is not a valid integer"),
        ([], "Missing argument 'NAME'"),
    ],
)
def test_invalid_arguments_are_an_error(
    words: list[str], sentence: str, said: Said, tmp_path: Path
) -> None:
    before = below(tmp_path)

    code, out, err = said("new-lesson", *words)

    assert (code, out) == (2, "")
    assert sentence in err
    assert len(err.strip().splitlines()) == 1
    assert below(tmp_path) == before


@pytest.mark.parametrize(
    "name",
    [
        "solutions/08_rows/app.py",
        "tests/variants/08_rows/variants.toml",
        "docs/lessons/08_rows.md",
        "notebooks/08_rows.py",
    ],
)
def test_nothing_is_overwritten_or_left_behind(
    name: str, said: Said, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine", encoding="utf-8")
    before = below(tmp_path)

    code, _, err = said("new-lesson", "08_rows")

    assert code == 2
    assert f"{name} exists already" in err
    assert below(tmp_path) == before


def test_if_one_file_cannot_be_written_none_is(said: Said, tmp_path: Path) -> None:
    (tmp_path / "notebooks").write_text("not a folder", encoding="utf-8")
    before = below(tmp_path)

    code, _, err = said("new-lesson", "08_rows")

    assert code == 2
    assert "cannot be written" in err
    assert "No files were left behind." in err
    assert below(tmp_path) == before


def test_a_draft_is_an_ordered_list_with_files_and_lines(
    said: Said, tmp_path: Path
) -> None:
    said("new-lesson", "08_rows", "--steps", "2")

    code, out, _ = said("check", "08", "--draft")

    *lines, summary = out.splitlines()
    assert code == 1
    assert [line.partition(". ")[0] for line in lines] == [
        str(number + 1) for number in range(len(lines))
    ]
    assert "has 2 wrong variants" in lines[0]
    assert "notebooks/08_rows.ipynb: is missing" in lines[-2]
    assert any("lessons/08_rows/README.md:5: still to write: " in it for it in lines)
    assert summary == f"{len(lines)} problems in lesson 08."
    marked = [
        path
        for path in tmp_path.rglob("*08_rows*/**/*")
        if path.is_file() and PLACEHOLDER in path.read_text("utf-8")
    ]
    assert len(marked) > 5


def test_a_draft_of_an_empty_folder_begins_with_its_readme(
    lesson: Lesson, said: Said, tmp_path: Path
) -> None:
    (tmp_path / "lessons" / "08_rows").mkdir()

    code, out, _ = said("check", "08", "--draft")

    assert code == 1
    assert out.startswith("1. lessons/08_rows/README.md: is missing. ")
    assert said("check", "08")[0] == 1
