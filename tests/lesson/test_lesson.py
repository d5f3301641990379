"""Lessons are found by looking, and read from plain Markdown and Python."""

from pathlib import Path

import pytest

from tests.tiny import write_lesson
from workshop.lesson import Catalogue, Lesson, LessonError, UnknownLessonError
from workshop.lesson.expected import read_tests
from workshop.lesson.text import (
    read_brief,
    read_hints,
    read_key_points,
    read_prediction,
)
from workshop.paths import ROOT

README = """\
# 07 · Seats

*25 minutes · you edit `app.py`*

Customers wait.

```text
## Step 9 · not a heading, but code
```

## Step 1 · First

Do this.

## Step 2 · Second

Do that.

## Afterwards

Belongs to no step.
"""


def make_lesson(root: Path, **files: str) -> Lesson:
    folder = root / "lessons" / "07_seats"
    folder.mkdir(parents=True)
    texts = {
        "README.md": README,
        "hints.md": "# Hints · 07 · Seats\n\n## Step 1 · First\n\n1. a\n2. b\n3. c\n",
        "test_seats.py": "",
        **files,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return Lesson(folder, root / "solutions" / "07_seats")


def source_with(*steps: int) -> str:
    return "import pytest\n" + "".join(
        f"@pytest.mark.step({step})\ndef test_{number}():\n    '''Fact.'''\n"
        for number, step in enumerate(steps)
    )


def test_a_brief_has_title_minutes_scene_and_steps() -> None:
    brief = read_brief(README)

    assert (brief.number, brief.title, brief.minutes) == ("07", "Seats", 25)
    assert brief.scene.startswith("Customers wait.")
    assert [(s.number, s.title, s.body) for s in brief.sections] == [
        (1, "First", "Do this."),
        (2, "Second", "Do that."),
    ]


def test_a_readme_without_a_numbered_title_is_an_error(
    tmp_path: Path,
) -> None:
    lesson = make_lesson(tmp_path, **{"README.md": "Seats\n"})

    with pytest.raises(LessonError, match=r"README\.md .*its first line is 'Seats'"):
        _ = lesson.title


def test_hints_keep_their_continuation_lines() -> None:
    assert read_hints("1. one\n   more\n2. two\n") == ("one\nmore", "two")


def test_tests_are_read_without_running_them() -> None:
    source = source_with(1, 2) + "raise SystemExit\n"

    assert [(t.id, t.step, t.fact) for t in read_tests(source)] == [
        ("test_0", 1, "Fact."),
        ("test_1", 2, "Fact."),
    ]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def test_a(): ...\n", "belongs to no step"),
        ("class TestA:\n    def test_a(self): ...\n", "plain functions"),
        (source_with(1) + source_with(1), "is defined twice"),
        (
            "@pytest.mark.parametrize('n', [1])\n@pytest.mark.step(1)\n"
            "def test_a(n): ...\n",
            "is parametrized",
        ),
        ("@pytest.mark.step(N)\ndef test_a(): ...\n", "as a plain number"),
    ],
)
def test_tests_with_unpredictable_ids_are_an_error(source: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_tests(source)


def test_steps_combine_text_hints_and_tests(tmp_path: Path) -> None:
    lesson = make_lesson(tmp_path, **{"test_seats.py": source_with(1, 1, 2)})

    first, second = lesson.steps
    assert (first.title, first.text, first.hints) == ("First", "Do this.", tuple("abc"))
    assert [test.id for test in first.tests] == ["test_0", "test_1"]
    assert (second.hints, len(second.tests)) == ((), 1)


def test_a_step_without_tests_is_an_error(tmp_path: Path) -> None:
    lesson = make_lesson(tmp_path, **{"test_seats.py": source_with(1)})

    with pytest.raises(LessonError, match=r"belong to steps \[1\].*has steps \[1, 2\]"):
        _ = lesson.steps


def test_a_lesson_without_tests_is_an_error(tmp_path: Path) -> None:
    lesson = make_lesson(tmp_path)

    with pytest.raises(LessonError, match="holds no tests"):
        _ = lesson.tests


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    lesson = make_lesson(tmp_path, **{"test_seats.py": source_with(1, 2)})
    (lesson.folder / "hints.md").unlink()

    with pytest.raises(LessonError, match=r"hints\.md is missing"):
        _ = lesson.steps


def test_states_lead_from_the_starter_to_the_solution(tmp_path: Path) -> None:
    lesson = make_lesson(tmp_path)

    assert [lesson.state_file(n).name for n in (0, 1, 2)] == ["0.py", "1.py", "app.py"]
    with pytest.raises(LessonError, match="there is no step 3"):
        lesson.state_file(3)


@pytest.mark.parametrize(
    "wanted",
    [
        *("7", "07", "007", "lesson-07", "lesson07", "lesson-7", "lesson_007"),
        *("Lesson 7", "07_seats", "07-seats", "seats", "sea", "07_se"),
        *("lessons/07_seats", "lessons\\07_seats", "./lessons/07_seats/"),
        "/home/me/lessons/07_seats/app.py",
    ],
)
def test_a_lesson_is_found_by_what_people_type(wanted: str, tmp_path: Path) -> None:
    make_lesson(tmp_path)

    assert Catalogue(tmp_path).find(wanted).slug == "07_seats"


@pytest.mark.parametrize("wanted", ["8", "7_rows", "", "lesson", "007x", "0", "777"])
def test_an_unknown_lesson_is_an_error_that_lists_all(
    wanted: str, tmp_path: Path
) -> None:
    make_lesson(tmp_path)

    with pytest.raises(UnknownLessonError, match=r"The lessons are: 07\."):
        Catalogue(tmp_path).find(wanted)


@pytest.mark.parametrize("wanted", ["saets", "08_seats", "lessons/7_seats"])
def test_a_misspelled_lesson_gets_a_suggestion(wanted: str, tmp_path: Path) -> None:
    make_lesson(tmp_path)

    with pytest.raises(UnknownLessonError, match=r"Did you mean 07_seats\?"):
        Catalogue(tmp_path).find(wanted)


def test_an_ambiguous_prefix_is_an_error(tmp_path: Path) -> None:
    for slug in ("07_seats", "08_sessions"):
        (tmp_path / "lessons" / slug).mkdir(parents=True)

    with pytest.raises(UnknownLessonError, match="There is no lesson 'se'"):
        Catalogue(tmp_path).find("se")
    assert Catalogue(tmp_path).find("ses").slug == "08_sessions"


def test_other_folders_are_not_lessons(tmp_path: Path) -> None:
    write_lesson(tmp_path)
    (tmp_path / "lessons" / "scratch").mkdir()
    (tmp_path / "lessons" / "08_rows.bak").mkdir()
    (tmp_path / "lessons" / "08_notes.txt").write_text("", encoding="utf-8")

    assert [it.slug for it in Catalogue(tmp_path).named()] == ["90_seats"]
    assert [it.slug for it in Catalogue(tmp_path).lessons()] == ["90_seats"]


def test_the_key_points_are_the_first_list_of_the_wrap_up() -> None:
    page = (
        "# 01 · Seats\n\n- not this\n\n## Wrap-up\n\nTwo things:\n\n"
        "1. One seat.\n   It is `A1`.\n2. Two seats.\n\n- nor this\n\n## Next\n"
    )

    assert read_key_points(page) == ("One seat. It is `A1`.", "Two seats.")
    assert read_key_points("# 01 · Seats\n\n- not this\n") == ()


def test_every_lesson_has_a_prediction_with_an_answer() -> None:
    for lesson in Catalogue(ROOT).lessons():
        prediction = lesson.prediction
        assert prediction is not None
        assert prediction.question
        assert "<" not in prediction.answer.partition("`")[0]
        assert prediction.answer not in prediction.question


def test_a_question_without_an_answer_is_no_prediction() -> None:
    folded = "<details>\n<summary>Answer</summary>\n\nB.\n</details>\n"

    assert read_prediction("## Predict\n\nWho?\n") is None
    assert read_prediction(f"## Predict\n\nWho?\n\n## Run\n\n{folded}") is None
    assert read_prediction(f"# 90\n\n{folded}") is None
