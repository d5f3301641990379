"""What must never pass, and what the learner is told instead."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiers import sampled
from tests.tiny import GOOD
from workshop.grading import Limits, Verdict, grade
from workshop.lesson import Lesson

# Far above what a good answer needs here, and soon over for a bad one.
LIMITS = Limits(test_seconds=5, output_bytes=300_000, processes=12)


def handler(body: str, imports: str = "") -> str:
    """Return an app whose handler runs *body* before a correct response."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return GOOD.replace(
        '    return {"free": 2}', f'{lines}\n    return {{"free": 2}}'
    ).replace("from fastapi", f"{imports}\nfrom fastapi")


def at_import(line: str, imports: str = "") -> str:
    """Return a correct app with *line* added at its end."""
    return f"{imports}\n{GOOD}\n{line}\n"


HOSTILE: dict[str, tuple[str, Verdict, str]] = {
    "an empty file": ("", Verdict.ERROR, "no FastAPI object"),
    "a hard-coded pass": ("print('all tests passed')", Verdict.ERROR, "no FastAPI"),
    "pytest.skip() at import": (
        at_import("pytest.skip('later', allow_module_level=True)", "import pytest"),
        Verdict.ERROR,
        "skip",
    ),
    "pytest.skip() in a handler": (
        handler("pytest.skip('later')", "import pytest"),
        Verdict.ERROR,
        "skip",
    ),
    "pytest.xfail() at import": (
        at_import("pytest.xfail('known')", "import pytest"),
        Verdict.ERROR,
        "xfail",
    ),
    "pytest.xfail() in a handler": (
        handler("pytest.xfail('known')", "import pytest"),
        Verdict.ERROR,
        "xfail",
    ),
    "pytest.exit(0) at import": (
        at_import("pytest.exit('done', returncode=0)", "import pytest"),
        Verdict.ERROR,
        "exit",
    ),
    "pytest.exit(0) in a handler": (
        handler("pytest.exit('done', returncode=0)", "import pytest"),
        Verdict.ERROR,
        "exit",
    ),
    "os._exit(0) at import": (
        at_import("os._exit(0)", "import os"),
        Verdict.CRASHED,
        "os._exit",
    ),
    "os._exit(0) in a handler": (
        handler("os._exit(0)", "import os"),
        Verdict.CRASHED,
        "os._exit",
    ),
    "sys.exit(0) at import": (
        at_import("sys.exit(0)", "import sys"),
        Verdict.ERROR,
        "exit",
    ),
    "sys.exit(0) in a handler": (
        handler("sys.exit(0)", "import sys"),
        Verdict.ERROR,
        "exit",
    ),
    "a crash": (
        at_import("os.abort()", "import os"),
        Verdict.CRASHED,
        "ended by",
    ),
    "a crash in a handler": (
        handler("os.abort()", "import os"),
        Verdict.CRASHED,
        "ended by",
    ),
    "a syntax error": (at_import("def seats(:"), Verdict.ERROR, "syntax"),
    "an import error": (at_import("import ticketing"), Verdict.ERROR, "ticketing"),
    "while True at import": (
        at_import("while True: pass"),
        Verdict.TIMED_OUT,
        "app.py:",
    ),
    "while True in a handler": (
        handler("while True: pass"),
        Verdict.TIMED_OUT,
        "app.py:",
    ),
    "an await that never ends": (
        handler("await asyncio.Event().wait()", "import asyncio"),
        Verdict.FAILED,
        "never got a response",
    ),
    "a flood of output": (
        handler("while True: print('seat ' * 1000)"),
        Verdict.ERROR,
        "printed more than",
    ),
    "a swarm of processes": (
        handler(
            "for _ in range(20): subprocess.Popen([sys.executable, '-c', "
            "'import threading; threading.Event().wait()'])\n"
            "await asyncio.Event().wait()",
            "import asyncio, subprocess, sys",
        ),
        Verdict.ERROR,
        "processes",
    ),
    "input() at import": (at_import("input('Seats? ')"), Verdict.ERROR, "input()"),
}


@pytest.mark.parametrize("name", sampled(list(HOSTILE), every=5))
def test_it_is_refused_with_its_own_message(
    name: str,
    lesson: Lesson,
    answer: Callable[[str], Path],
    no_process_left: None,
    refused: Callable[[str, str, str], None],
) -> None:
    source, verdict, words = HOSTILE[name]

    graded = grade(lesson, answer(source), limits=LIMITS)

    first = graded.steps[0].tests[0]
    refused(name, str(graded.verdict), first.message)
    assert not graded.passed
    assert (graded.verdict, first.verdict) == (verdict, verdict), first.message
    assert words in first.message


def test_input_in_a_handler_is_refused_and_named(
    lesson: Lesson,
    answer: Callable[[str], Path],
    refused: Callable[[str, str, str], None],
) -> None:
    graded = grade(lesson, answer(handler("input('Seats? ')")), limits=LIMITS)

    first = graded.steps[0].tests[0]
    refused("input() in a handler", str(graded.verdict), first.message)
    assert first.verdict is Verdict.FAILED
    assert "EOFError" in " ".join(first.raised)
    assert first.line.startswith("app.py:")


LEFTOVERS = {
    "a thread": handler(
        "threading.Thread(target=threading.Event().wait).start()", "import threading"
    ),
    "a child process": handler(
        "subprocess.Popen([sys.executable, '-c', "
        "'import threading; threading.Event().wait()'])",
        "import subprocess, sys",
    ),
    "a child process in a session of its own": handler(
        "subprocess.Popen([sys.executable, '-c', "
        "'import threading; threading.Event().wait()'], start_new_session=True)",
        "import subprocess, sys",
    ),
    "a server": handler(
        "subprocess.Popen([sys.executable, '-m', 'http.server', '0', "
        "'--bind', '127.0.0.1'])",
        "import subprocess, sys",
    ),
}


@pytest.mark.parametrize("name", sampled(list(LEFTOVERS)))
def test_leftover_processes_do_not_delay_the_verdict_or_survive(
    name: str,
    lesson: Lesson,
    answer: Callable[[str], Path],
    no_process_left: None,
    refused: Callable[[str, str, str], None],
) -> None:
    graded = grade(lesson, answer(LEFTOVERS[name]), limits=LIMITS)

    refused(f"left behind: {name}", "ended", "with the run; none is left")
    assert graded.passed, [t.message for t in graded.steps[0].tests]


def test_a_coroutine_used_like_its_result_is_named(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    body = "plan = asyncio.sleep(0, 'free')\nplan.upper()"
    source = handler(body, "import asyncio")

    graded = grade(lesson, answer(source), limits=LIMITS)

    first = graded.steps[0].tests[0]
    line = 1 + source.splitlines().index("    plan = asyncio.sleep(0, 'free')")
    assert not graded.passed
    assert [it.partition(" in app.py")[0] for it in first.forgot] == ["sleep() made"]
    assert f"app.py:{line} " in first.forgot[0]
