"""A breakpoint in app.py ends the run, with a verdict of its own."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny import GOOD
from workshop.grading import Verdict, grade
from workshop.lesson import Lesson

CALLS = [
    "breakpoint()",
    "import pdb; pdb.set_trace()",
    "import pdb; pdb.Pdb().set_trace()",
    "from pdb import set_trace; set_trace()",
]
if sys.version_info >= (3, 14):
    CALLS.append("import pdb; await pdb.set_trace_async()")


@pytest.mark.usefixtures("no_process_left")
@pytest.mark.parametrize("call", CALLS)
def test_a_breakpoint_in_a_route_ends_the_run(
    call: str, lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    text = GOOD.replace("    return", f"    {call}\n    return")

    verdict = grade(lesson, answer(text))

    first, second = (step.tests[0] for step in verdict.steps)
    assert (verdict.verdict, verdict.passed) == (Verdict.STOPPED, False)
    assert (first.verdict, second.verdict) == (Verdict.STOPPED, Verdict.NOT_RUN)
    assert first.line == f"app.py:8  {call}"
    assert "(app.py:8)" in first.seen


def test_a_breakpoint_in_a_thread_ends_the_run(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    text = GOOD.replace("async def", "def").replace(
        "    return", "    breakpoint()\n    return"
    )

    assert grade(lesson, answer(text)).verdict is Verdict.STOPPED


def test_a_breakpoint_at_import_ends_the_run(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    verdict = grade(lesson, answer(GOOD + "\nbreakpoint()\n"))

    assert verdict.verdict is Verdict.STOPPED
    assert verdict.steps[0].tests[0].line.endswith("breakpoint()")


def test_a_breakpoint_never_passes_whatever_the_settings(
    lesson: Lesson, answer: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONBREAKPOINT", "0")
    last = GOOD + "\n@app.get('/nothing')\nasync def nothing():\n    breakpoint()\n"

    verdict = grade(lesson, answer(last))

    assert verdict.steps[0].passed
    assert verdict.verdict is Verdict.STOPPED
