"""A file with conflict markers is called that, before Python misreads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workshop import conflicts
from workshop.grading import grade
from workshop.lesson import Lesson, LessonError
from workshop.processes.loopback import free_port, loopback
from workshop.testing import AppLoadError
from workshop.testing.app.loading import LoadedFile

MERGED = """\
from fastapi import FastAPI

<<<<<<< HEAD
PRICE = 1
||||||| 0f3c2d1
PRICE = 2
=======
PRICE = 03
>>>>>>> 4c1bd2b7a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4
app = FastAPI()
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", None),
        (MERGED, 3),
        (MERGED.replace("\n", "\r\n"), 3),
        ("Title\n=======\n", None),
        ("<<<<<<< HEAD\n=======\n", None),
        (">>>>>>> a\n=======\n<<<<<<< b\n", None),
        ("  <<<<<<< HEAD\n  =======\n  >>>>>>> b\n", None),
        ("<<<<<<<< 8\n========\n>>>>>>>> 8\n", None),
        ("=======\n<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n", 2),
    ],
)
def test_a_conflict_is_three_markers_in_order(text: str, line: int | None) -> None:
    assert conflicts.first_marker(text) == line


@pytest.mark.parametrize(
    ("begin", "end", "price"),
    [
        ("HEAD", "4c1bd2b7a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4", "1"),
        ("HEAD", "origin/main", "1"),
        ("HEAD", "4c1bd2b (Solve step 1)", "03"),
        ("Updated upstream", "Stashed changes", "03"),
    ],
)
def test_the_own_side_of_a_conflict_is_recognised_by_its_label(
    begin: str, end: str, price: str
) -> None:
    text = MERGED.replace("<<<<<<< HEAD", f"<<<<<<< {begin}")
    text = text.replace("4c1bd2b7a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4", end)

    assert conflicts.own_version(text) == (
        f"from fastapi import FastAPI\n\nPRICE = {price}\napp = FastAPI()\n"
    )


def test_text_without_a_conflict_is_unchanged() -> None:
    text = "Title\n=======\n\nA line without an end"

    assert conflicts.own_version(text) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (MERGED, "app.py:3  <<<<<<< HEAD"),
        (MERGED.replace("<<<<<<< HEAD\n", ""), "app.py:4  |||||||"),
        ("x = 1\n=======\n", "app.py:2  ======="),
        ("x = 1\n>>>>>>> origin/main\n", "app.py:2  >>>>>>> origin/main"),
        # Between quotes nothing is wrong for Python, and yet it is a conflict.
        (f'QUERY = """\n{MERGED}"""\n', "app.py:4  <<<<<<< HEAD"),
    ],
)
def test_loading_an_app_names_the_conflict_and_its_line(
    tmp_path: Path, text: str, line: str
) -> None:
    app = tmp_path / "app.py"
    app.write_text(text, encoding="utf-8")

    with pytest.raises(AppLoadError) as failure:
        LoadedFile(app)

    words = str(failure.value)
    assert "conflict markers" in words
    assert line in words
    assert "python -m workshop update" in words


def test_a_module_beside_the_app_with_a_conflict_is_named(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text("import mail\n\napp = mail\n", encoding="utf-8")
    (tmp_path / "mail.py").write_text(MERGED, encoding="utf-8")

    with pytest.raises(AppLoadError, match=r"mail.py has conflict markers in line"):
        LoadedFile(app)


def test_a_verdict_on_a_conflict_says_so_in_every_test(lesson: Lesson) -> None:
    lesson.app_file.write_text(MERGED, encoding="utf-8")

    verdict = grade(lesson, lesson.app_file)

    tests = [test for step in verdict.steps for test in step.tests]
    assert len(tests) == 2
    for test in tests:
        assert "app.py has conflict markers in line 3" in test.message


@pytest.mark.parametrize("name", ["README.md", "hints.md", "test_seats.py"])
def test_a_file_of_the_lesson_with_a_conflict_is_named(
    lesson: Lesson, name: str
) -> None:
    file = lesson.folder / name
    whole = file.read_text(encoding="utf-8")
    file.write_text(f"{whole}\n{MERGED}", encoding="utf-8")
    line = len(whole.splitlines()) + 4

    with pytest.raises(LessonError) as failure:
        _ = lesson.steps

    gap = failure.value.gap
    assert gap is not None
    assert (gap.file.name, gap.line) == (name, line)
    assert "conflict markers" in str(failure.value)


def test_serving_an_app_with_a_conflict_names_it(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(MERGED, encoding="utf-8")
    server = subprocess.run(
        [
            *(sys.executable, "-m", "uvicorn"),
            *("--factory", "workshop.actions.offline_docs:served"),
            *("--app-dir", str(tmp_path), "--port", str(free_port(loopback()))),
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    assert server.returncode == 1
    assert "app.py has conflict markers in line 3" in server.stderr
    assert "Traceback" not in server.stderr
