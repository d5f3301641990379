"""A run is alone, fresh, heard in full, and over when it is over."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.tiny import GOOD
from workshop.grading import Limits, Verdict, grade
from workshop.grading.engine import grade_rounds
from workshop.lesson import Lesson
from workshop.paths import ROOT
from workshop.sandbox.markers import MARK
from workshop.sandbox.worker_process import Output


def test_a_correct_solution_passes(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    verdict = grade(lesson, answer(GOOD))

    assert verdict.passed
    assert verdict.seconds > 0


def test_a_second_save_of_the_same_size_gets_its_own_verdict(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    bad = GOOD.replace('"free": 2', '"free": 3')

    assert [grade(lesson, answer(text)).passed for text in (GOOD, bad, GOOD, bad)] == [
        True,
        False,
        True,
        False,
    ]


def test_settings_of_the_caller_do_not_change_a_verdict(
    lesson: Lesson, answer: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    bad = GOOD.replace('"free": 2', '"free": 3')

    assert grade(lesson, answer(GOOD)).passed
    assert grade(lesson, answer(bad)).verdict is Verdict.FAILED


def test_a_crash_while_dumping_a_hanging_test_is_a_timeout(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    """Python reads the stack of a running thread, which may crash."""
    text = "    import os, time; time.sleep(1.8); os.abort()"
    hangs = GOOD.replace('    return {"free": 2}', text)
    assert hangs != GOOD

    verdict = grade(lesson, answer(hangs), limits=Limits(test_seconds=1))

    assert verdict.verdict is Verdict.TIMED_OUT


def test_a_slow_import_is_not_a_test_that_hangs(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    """Before the first test starts, only the limit for the start applies."""
    slow = f"import time\ntime.sleep(3)\n{lesson.test_file.read_text('utf-8')}"
    lesson.test_file.write_text(slow, encoding="utf-8")

    verdict = grade(lesson, answer(GOOD), limits=Limits(test_seconds=1))

    assert verdict.verdict is Verdict.PASSED


def test_output_and_logs_are_reported_per_test(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    noisy = GOOD.replace(
        "async def seats():",
        "async def seats():\n"
        "    print('printed')\n"
        "    logging.getLogger('box').info('logged')\n"
        "    os.system('echo from a child')",
    )
    verdict = grade(lesson, answer("import logging, os\n" + noisy))

    first, second = (step.tests[0] for step in verdict.steps)
    for words in ("printed", "INFO box: logged", "from a child"):
        assert words in first.output
        assert words not in second.output


def test_exceptions_of_the_app_are_reported_beside_the_response(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    broken = GOOD.replace('return {"free": 2}', "return {}['free']")

    test = grade(lesson, answer(broken)).steps[0].tests[0]

    assert test.seen == "GET /seats answered 500."
    assert test.line == "app.py:8  return {}['free']"
    assert any("KeyError: 'free'" in raised for raised in test.raised)


@pytest.mark.parametrize(
    ("statement", "is_mistake"),
    [
        ("return {}['free']", True),
        ("return nowhere", True),
        ("raise OSError('the line is dead')", False),
        ("return open('no such file')", True),
        ("return socket.create_connection(('127.0.0.1', 1))", False),
    ],
)
def test_a_failed_statement_of_the_app_is_told_from_what_it_was_given(
    lesson: Lesson, answer: Callable[[str], Path], statement: str, is_mistake: bool
) -> None:
    broken = "import socket\n" + GOOD.replace('return {"free": 2}', statement)

    test = grade(lesson, answer(broken)).steps[0].tests[0]

    assert test.raised
    assert test.mistake is is_mistake
    assert test.on_topic is not is_mistake


def test_each_error_of_a_group_is_reported_with_its_line(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    broken = "import asyncio\n" + GOOD.replace(
        '    return {"free": 2}',
        "    async def ask(venue):\n"
        "        return {}[venue]\n"
        "    async with asyncio.TaskGroup() as group:\n"
        "        for venue in ('Apollo', 'Bijou', 'Bijou'):\n"
        "            group.create_task(ask(venue))\n",
    )

    test = grade(lesson, answer(broken)).steps[0].tests[0]

    assert test.raised == (
        "KeyError: 'Apollo' (app.py:10), in an ExceptionGroup",
        "KeyError: 'Bijou' (app.py:10), in an ExceptionGroup, 2 times",
    )
    assert test.line == "app.py:10  return {}[venue]"
    assert test.output.splitlines() == [
        "ERROR uvicorn.error: Exception in GET /seats",
        "  app.py:10  return {}[venue]",
        "  KeyError: 'Apollo', in an ExceptionGroup",
        "  app.py:10  return {}[venue]",
        "  KeyError: 'Bijou', in an ExceptionGroup, 2 times",
    ]


def test_an_error_in_many_requests_is_reported_once(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    text = lesson.test_file.read_text(encoding="utf-8")
    many = '    for _ in range(19):\n        await client.get("/seats")\n'
    first_line = '    answer = await client.get("/seats")\n'
    lesson.test_file.write_text(
        text.replace(first_line, many + first_line), encoding="utf-8"
    )
    broken = GOOD.replace('return {"free": 2}', "raise OSError(f'no {object()}')")

    test = grade(lesson, answer(broken)).steps[0].tests[0]

    assert test.raised == ("OSError: no <object object> (app.py:8), 20 times",)
    assert test.traceback.count("in seats\n    raise OSError") == 1


def test_other_log_handlers_get_the_full_traceback(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    """As with a real uvicorn: only the verdict uses the short form."""
    broken = GOOD.replace(
        '    return {"free": 2}',
        "    try:\n        {}['free']\n"
        "    except KeyError as missing:\n"
        "        raise OSError('sold out') from missing\n",
    )
    handler = (
        "import logging, sys\n"
        "class Second(logging.Handler):\n"
        "    def emit(self, record):\n"
        "        print('SECOND', logging.Formatter().format(record))\n"
        "logging.getLogger().handlers.append(Second())\n"
    )

    test = grade(lesson, answer(handler + broken)).steps[0].tests[0]

    brief, _, whole = test.output.partition("SECOND")
    assert "Traceback" not in brief
    assert "KeyError: 'free'" in whole
    assert "direct cause" in whole


def test_output_of_passed_cases_is_dropped(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    text = lesson.test_file.read_text(encoding="utf-8")
    lesson.test_file.write_text(
        text + "\n\nfrom workshop.testing import cases\n"
        "@pytest.mark.step(1)\nasync def test_it(client):\n"
        '    """It is."""\n    for seat in cases((1, 2, 3)):\n'
        '        found = (await client.get(f"/seats?seat={seat}")).json()\n'
        '        assert found["free"] == seat or seat == 1, "Expected: all."\n',
        encoding="utf-8",
    )
    noisy = GOOD.replace("async def seats():", "async def seats(seat: int):").replace(
        "    return", "    print(f'asked for {seat}')\n    return"
    )

    test = grade(lesson, answer(noisy)).steps[0].tests[1]

    assert (test.verdict, test.output) == (Verdict.FAILED, "asked for 3")


def test_errors_of_passed_cases_are_dropped(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    text = lesson.test_file.read_text(encoding="utf-8")
    lesson.test_file.write_text(
        text + "\n\nfrom workshop.testing import cases, exchange\n"
        "@pytest.mark.step(1)\nasync def test_it(app):\n"
        '    """It is."""\n    for seat in cases((1, 2, 3)):\n'
        '        asked = exchange(app, "GET", f"/seats?seat={seat}")\n'
        "        await asked.finished()\n"
        '        assert seat < 3, "Expected: fewer."\n',
        encoding="utf-8",
    )
    broken = GOOD.replace("async def seats():", "async def seats(seat: int):").replace(
        '    return {"free": 2}', "    raise ValueError(f'no seat {seat}')"
    )

    test = grade(lesson, answer(broken)).steps[0].tests[1]

    assert [it.partition(" (")[0] for it in test.raised] == ["ValueError: no seat 3"]


def test_temporary_files_of_a_run_are_deleted(
    lesson: Lesson, answer: Callable[[str], Path], tmp_path: Path
) -> None:
    told = tmp_path / "told"
    leaving = (
        "import os, pathlib, tempfile\n"
        f"pathlib.Path({str(told)!r}).write_text(tempfile.mkdtemp())\nos._exit(0)\n"
    )

    grade(lesson, answer(leaving))

    assert not Path(told.read_text(encoding="utf-8")).exists()


def test_each_round_is_judged_separately(
    lesson: Lesson, answer: Callable[[str], Path], tmp_path: Path
) -> None:
    used = tmp_path / "used"
    once = f"import pathlib\nused = pathlib.Path({str(used)!r})\n" + GOOD.replace(
        '    return {"free": 2}',
        "    first = not used.exists()\n    used.touch()\n"
        '    return {"free": 2 if first else 1}',
    )

    verdicts = grade_rounds(lesson, answer(once), rounds=3, seed=1)

    assert [verdict.passed for verdict in verdicts] == [True, False, False]


def test_tests_that_cannot_be_imported_are_an_error(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    text = lesson.test_file.read_text(encoding="utf-8")
    lesson.test_file.write_text("import nothing_there\n" + text, encoding="utf-8")

    verdict = grade(lesson, answer(GOOD))

    assert verdict.verdict is Verdict.ERROR
    message = verdict.steps[0].tests[0].message
    assert "test_seats.py cannot be run" in message
    assert "nothing_there" in message


def test_a_killed_front_end_leaves_no_worker_behind(
    lesson: Lesson, answer: Callable[[str], Path]
) -> None:
    answer("print('here I hang', flush=True)\nwhile True: pass")
    front = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import sys; from pathlib import Path\n"
            "from workshop.grading import grade\n"
            "from workshop.lesson import Lesson\n"
            f"lesson = Lesson(Path({str(lesson.folder)!r}), Path('none'))\n"
            "grade(lesson, lesson.app_file, on_event=lambda e: print(e, flush=True))\n",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert front.stdout is not None
    for line in front.stdout:
        if "'start'" in line:
            break
    workers = psutil.Process(front.pid).children(recursive=True)

    front.kill()
    front.wait()
    front.stdout.close()

    _, alive = psutil.wait_procs(workers, timeout=10)
    assert workers
    assert alive == []


class TestOutput:
    """The output of several tests, separated by markers in the stream."""

    def test_a_marker_may_be_split(self) -> None:
        output = Output(7)
        for byte in f"before{MARK}7 test_a\nin a{MARK}7 \nafter".encode():
            output.add(bytes([byte]))
        output.finish()

        assert output.texts() == {"": "beforeafter", "test_a": "in a"}

    def test_a_marker_of_another_process_is_plain_text(self) -> None:
        output = Output(7)
        output.add(f"{MARK}7 test_a\nx{MARK}8 test_b\ny".encode())
        output.finish()

        assert set(output.texts()) == {"", "test_a"}

    def test_output_of_a_test_can_be_discarded(self) -> None:
        output = Output(7)
        for byte in f"{MARK}7 a\nold{MARK}7 a again\nnew{MARK}7 \n".encode():
            output.add(bytes([byte]))
        output.finish()

        assert output.texts() == {"": "", "a": "new"}

    def test_long_output_keeps_its_beginning_and_end(self) -> None:
        output = Output(7)
        output.add(b"head" + b"." * 3_000_000 + b"tail")
        output.finish()

        text = output.texts()[""]
        assert output.total == 3_000_008
        assert len(text) < 1_100_000
        assert text.startswith("head.")
        assert text.endswith(".tail")
        assert "output left out" in text
