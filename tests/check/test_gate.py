"""The author's gate lets a fit lesson through, and nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tiny import GOOD, PAGE, STARTER, STATE_1
from workshop.check import Finding, check_lesson
from workshop.check.answers import Answers, answers_to
from workshop.check.gate import (
    check_published_starter,
    check_solution,
    check_states,
    check_variants,
)
from workshop.check.pages import check_page, fill_page
from workshop.check.serving import serving_problem
from workshop.lesson import Lesson

Change = Callable[[str, str, str], None]


@pytest.fixture
def change(lesson: Lesson, tmp_path: Path) -> Change:
    """Return a function that replaces text in a file of the lesson."""

    def replace(name: str, old: str, new: str) -> None:
        path = tmp_path / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return replace


@pytest.fixture
def answers(lesson: Lesson) -> Iterator[Answers]:
    """Grade answers to the lesson."""
    with answers_to(lesson, at_once=1) as answers:
        yield answers


def rules(findings: object) -> list[str]:
    assert hasattr(findings, "__iter__")
    return [finding.rule for finding in findings if isinstance(finding, Finding)]


@pytest.mark.slow
def test_a_complete_lesson_has_no_findings(published: Lesson, tmp_path: Path) -> None:
    told: list[str] = []

    assert check_lesson(published, tmp_path, repeats=3, say=told.append) == []
    assert told[-1] == "Lesson 08: wrong and right variants"


def test_an_incomplete_lesson_is_not_run(lesson: Lesson, tmp_path: Path) -> None:
    told: list[str] = []

    findings = check_lesson(lesson, tmp_path, say=told.append)

    assert "notebooks/90_seats.py" in {it.file for it in findings}
    assert told == ["Lesson 90: rules"]


def test_a_starter_that_passes_a_step_is_reported(
    lesson: Lesson, answers: Answers
) -> None:
    lesson.state_file(0).write_text(GOOD, encoding="utf-8")

    assert rules(check_states(lesson, answers)) == ["states", "states", "own reason"]


def test_a_starter_that_fails_with_an_error_is_reported(
    lesson: Lesson, answers: Answers
) -> None:
    lesson.state_file(0).write_text("import nothing_of_that_name", encoding="utf-8")

    findings = list(check_states(lesson, answers))

    assert "step 1 is 'error' and should be 'failed'" in findings[0].text


def test_a_state_that_does_not_pass_its_step_is_reported(
    lesson: Lesson, answers: Answers
) -> None:
    lesson.state_file(1).write_text(STARTER, encoding="utf-8")

    (finding,) = check_states(lesson, answers)

    assert "after 1 repaired steps, step 1 is 'failed'" in finding.text


def test_a_step_that_fails_for_different_reasons_is_reported(
    lesson: Lesson, answers: Answers
) -> None:
    other = STARTER.replace(
        "    return {}\n", "    return responses.JSONResponse({}, 404)\n"
    ).replace("import FastAPI", "import FastAPI, responses")
    lesson.state_file(0).write_text(other, encoding="utf-8")

    (finding,) = check_states(lesson, answers)

    assert finding.rule == "own reason"
    assert "was not found, and said {}" in finding.text


def test_a_solution_that_does_not_always_pass_is_reported(
    lesson: Lesson, tmp_path: Path
) -> None:
    path = tmp_path / "used"
    lesson.solution_file.write_text(
        f"import pathlib\nused = pathlib.Path({str(path)!r})\n"
        + GOOD.replace(
            '    return {"free": 2}',
            "    first = not used.exists()\n    used.touch()\n"
            '    return {"free": 2 if first else 1}',
        ),
        encoding="utf-8",
    )

    (finding,) = check_solution(lesson, 3)

    assert "passed 1 of 3 times" in finding.text


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("new = '\"free\": 3'", "new = '\"free\" : 2'", "a wrong answer passes"),
        ('new = "def seats"', 'new = "def chairs("', "a right answer is refused"),
        ("old = '\"free\": 2'", "old = '\"free\": 9'", "occurs 0 times"),
        ("test_the_free_seats_are_shown", "test_nothing", "there are no tests"),
        ('why = "Counting from one."', 'why = ""', "needs a name and a why"),
        (
            'refused_by = ["test_the_free_seats_are_shown"]',
            'refused_by = ["test_the_address_of_nothing_is_not_found"]',
            "should be 'failed'",
        ),
    ],
)
def test_misjudged_variants_are_reported(
    old: str,
    new: str,
    words: str,
    lesson: Lesson,
    change: Change,
    answers: Answers,
    tmp_path: Path,
) -> None:
    change("tests/variants/90_seats/variants.toml", old, new)

    (finding,) = check_variants(lesson, tmp_path, answers)

    assert words in finding.text


def test_a_starter_that_does_not_serve_is_reported(tmp_path: Path) -> None:
    broken = tmp_path / "app.py"
    broken.write_text("app = 1 / 0\n", encoding="utf-8")

    assert "ZeroDivisionError" in serving_problem(broken)


def test_a_proxy_setting_does_not_affect_the_serving_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    good = tmp_path / "app.py"
    good.write_text(GOOD, encoding="utf-8")

    assert serving_problem(good) == ""


def test_learners_edits_are_noted_but_are_not_findings(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKSHOP_AUTHOR", raising=False)
    lesson.app_file.write_text("edited = True\n", encoding="utf-8")
    told: list[str] = []

    assert list(check_published_starter(lesson, told.append)) == []
    assert "has been edited. The published starter is judged." in told[0]


def test_an_edited_starter_is_reported_where_lessons_are_published(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKSHOP_AUTHOR", "1")
    lesson.app_file.write_text(STATE_1, encoding="utf-8")

    (finding,) = check_published_starter(lesson, print)

    assert finding.rule == "published starter"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            '{"free": 2}',
            '{"free": 1}',
            "'solutions/90_seats/app.py::seats' is out of date",
        ),
        ("solutions/90_seats/app.py", "gone.py", "there is no file gone.py"),
        ("::seats", "::places", "solutions/90_seats/app.py has no places"),
        ("::seats", '::seats" hl="await', "no line contains 'await'"),
        ("::seats", '::seats" lines="yield', "0 lines contain 'yield'"),
        ("```python from", "```text title", "no known command"),
    ],
)
def test_a_page_with_a_stale_or_missing_quote_is_reported(
    old: str, new: str, words: str, lesson: Lesson, change: Change, tmp_path: Path
) -> None:
    change("docs/lessons/90_seats.md", old, new)

    (finding,) = check_page(lesson.page, tmp_path, {})

    assert words in finding.text


def test_an_updated_quote_passes_the_check(
    lesson: Lesson, change: Change, tmp_path: Path
) -> None:
    change("solutions/90_seats/app.py", '{"free": 2}', '{"free": 1 + 1}')

    lesson.page.write_text(fill_page(PAGE, tmp_path, {}), encoding="utf-8")

    assert '{"free": 1 + 1}' in lesson.page.read_text(encoding="utf-8")
    assert list(check_page(lesson.page, tmp_path, {})) == []


def test_long_code_without_a_source_is_reported(lesson: Lesson, tmp_path: Path) -> None:
    page = tmp_path / "docs" / "lessons" / "90_seats.md"
    page.write_text("```python\na\nb\nc\nd\n```\n", encoding="utf-8")

    (finding,) = check_page(lesson.page, tmp_path, {})

    assert "does not name its file" in finding.text


def test_updated_outputs_pass_the_check(lesson: Lesson, tmp_path: Path) -> None:
    outputs = {"make lesson-90 test": "Failed, in 1.5 s.\n"}
    stale = PAGE + '\n```text title="make lesson-90 test"\n(filled in)\n```\n'
    page = tmp_path / "docs" / "lessons" / "90_seats.md"
    page.write_text(stale, encoding="utf-8")
    (finding,) = check_page(lesson.page, tmp_path, outputs)

    page.write_text(fill_page(stale, tmp_path, outputs), encoding="utf-8")

    assert finding.rule == "page"
    assert "python -m workshop pages" in finding.text
    assert list(check_page(lesson.page, tmp_path, outputs)) == []
    slower = {"make lesson-90 test": "Failed, in 2.5 s.\n"}
    assert list(check_page(lesson.page, tmp_path, slower)) == []
