"""Wrong answers that reach for the tests instead of repairing the app.

Each app below is wrong in one of two steps, and right in the other. What it adds
would make the tests pass if they believed it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.grading.reaching import ATTEMPTS, FAIR, GOOD, TESTS
from tests.tiers import sampled
from tests.tiny import write_lesson
from workshop.grading import Limits, grade
from workshop.lesson import Lesson

LIMITS = Limits(test_seconds=5, output_bytes=300_000, processes=12)


@pytest.fixture
def seats(tmp_path: Path) -> Lesson:
    """A lesson of two steps, one of them with a stand-in."""
    lesson = write_lesson(tmp_path / "checkout")
    lesson.test_file.write_text(TESTS, encoding="utf-8")
    return Lesson(lesson.folder, lesson.solution)


@pytest.fixture
def answer(tmp_path: Path) -> Callable[[str], Path]:
    """Writes an answer to a file."""

    def write(source: str) -> Path:
        file = tmp_path / "answer" / "app.py"
        file.parent.mkdir()
        file.write_text(source, encoding="utf-8")
        return file

    return write


@pytest.mark.parametrize("name", sampled(list(ATTEMPTS), every=10))
def test_reaching_for_the_tests_does_not_pass(
    name: str,
    seats: Lesson,
    answer: Callable[[str], Path],
    no_process_left: None,
    refused: Callable[[str, str, str], None],
) -> None:
    graded = grade(seats, answer(ATTEMPTS[name]), limits=LIMITS)

    words = graded.ending.detail or next(
        (t.message for s in graded.steps for t in s.tests if t.message), ""
    )
    refused(name, str(graded.verdict), words)
    assert not graded.passed


@pytest.mark.parametrize("name", sampled(list(FAIR), every=10))
def test_an_unusual_but_fair_answer_passes(
    name: str, seats: Lesson, answer: Callable[[str], Path]
) -> None:
    graded = grade(seats, answer(FAIR[name]), limits=LIMITS)

    assert graded.passed, (
        graded.ending,
        [t.message for s in graded.steps for t in s.tests],
    )


def test_a_library_that_another_environment_lends_may_look_at_its_caller(
    seats: Lesson, answer: Callable[[str], Path], tmp_path: Path
) -> None:
    packages = tmp_path / "other" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "ticketing.py").write_text(
        "import sys\n\n\ndef caller():\n    return sys._getframe(1).f_code.co_name\n",
        encoding="utf-8",
    )
    source = f"import ticketing\n\nticketing.caller()\n{GOOD}"

    graded = grade(
        seats, answer(source), environment={"PYTHONPATH": str(packages)}, limits=LIMITS
    )

    assert graded.passed, graded.ending
