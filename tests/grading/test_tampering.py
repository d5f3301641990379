"""Wrong answers that tamper with the tests instead of repairing the app.

Each app below is wrong in one of two steps, and right in the other. What it adds
would make the tests pass if they believed it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.grading.tampering import ATTEMPTS, FAIR, GOOD, TESTS
from tests.tiers import sampled
from tests.tiny import write_lesson
from workshop.grading import Limits, grade
from workshop.lesson import Lesson

LIMITS = Limits(test_seconds=5, output_bytes=300_000, processes=12)


@pytest.fixture
def seats(tmp_path: Path) -> Lesson:
    """A lesson with two steps, one of which uses a stand-in."""
    lesson = write_lesson(tmp_path / "checkout")
    lesson.test_file.write_text(TESTS, encoding="utf-8")
    return Lesson(lesson.folder, lesson.solution)


@pytest.fixture
def answer(tmp_path: Path) -> Callable[[str], Path]:
    """Writes an app to a file."""

    def write(source: str) -> Path:
        file = tmp_path / "answer" / "app.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(source, encoding="utf-8")
        return file

    return write


@pytest.mark.parametrize("name", sampled(list(ATTEMPTS), every=10))
def test_tampering_with_the_tests_does_not_pass(
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
    assert "could not be loaded" not in words, "the attempt itself is broken"


@pytest.mark.parametrize("name", sampled(list(FAIR), every=10))
def test_an_unusual_but_honest_solution_passes(
    name: str, seats: Lesson, answer: Callable[[str], Path]
) -> None:
    graded = grade(seats, answer(FAIR[name]), limits=LIMITS)

    assert graded.passed, (
        graded.ending,
        [t.message for s in graded.steps for t in s.tests],
    )


def test_a_library_of_another_environment_may_inspect_its_caller(
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


def test_an_app_cannot_change_the_stand_ins_beside_its_tests(
    seats: Lesson, answer: Callable[[str], Path]
) -> None:
    helper = 'EXPECTED = {"free": 2}\n\n\ndef expected():\n    return dict(EXPECTED)\n'
    world = seats.test_file.with_name("world.py")
    world.write_text(helper, encoding="utf-8")
    seats.test_file.write_text(
        TESTS.replace(helper, "from .world import expected\n"), encoding="utf-8"
    )
    source = GOOD.replace('return {"free": 2}', "return {}") + (
        "\n\nimport sys\n"
        "for name, module in list(sys.modules.items()):\n"
        "    if name.endswith('.world'):\n"
        "        module.EXPECTED.clear()\n"
    )

    right = grade(seats, answer(GOOD), limits=LIMITS)
    changed = grade(seats, answer(source), limits=LIMITS)

    assert right.passed
    assert not changed.passed
    assert "EXPECTED, which the tests rely on" in changed.ending.detail
