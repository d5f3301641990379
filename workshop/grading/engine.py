"""Grade a file: one job for one worker, resulting in a verdict."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workshop.grading import file_integrity
from workshop.grading.events import events_of_tests
from workshop.grading.verdict import (
    Ending,
    LessonVerdict,
    StepVerdict,
    TestVerdict,
    Verdict,
    decide,
)
from workshop.lesson import Lesson
from workshop.lesson.published import edited_tests
from workshop.paths import ROOT
from workshop.sandbox.limits import Limits
from workshop.sandbox.worker_process import WorkerProcess
from workshop.terminal.control_codes import plain

WORKER = "workshop.grading.worker"
"""The module that a worker process runs."""

_DEFAULT = Limits()


def grade(
    lesson: Lesson,
    answer: Path,
    *,
    environment: Mapping[str, str] | None = None,
    limits: Limits = _DEFAULT,
    on_event: Callable[[dict[str, Any]], None] | None = None,
) -> LessonVerdict:
    """Grade the file *answer* as a solution of *lesson*.

    *environment* adds variables for the worker (which services to use); *on_event* gets
    each event as it arrives. Whatever the file does, this returns a verdict within the
    *limits* and leaves no process behind.

    Raises:
        LessonError: The lesson itself cannot be read.
    """
    return grade_rounds(
        lesson, answer, environment=environment, limits=limits, on_event=on_event
    )[0]


def grade_rounds(
    lesson: Lesson,
    answer: Path,
    *,
    rounds: int = 1,
    seed: int | None = None,
    environment: Mapping[str, str] | None = None,
    limits: Limits = _DEFAULT,
    on_event: Callable[[dict[str, Any]], None] | None = None,
) -> list[LessonVerdict]:
    """Grade *answer* several times in one process; return a verdict per round.

    With a *seed*, the tests of each round run in another random order. If the run was
    cut short, the list ends with that round. See `grade` for the rest.
    """
    job = make_job(lesson, answer, rounds=rounds, seed=seed, limits=limits)
    with WorkerProcess(WORKER, environment or {}) as worker:
        rounds_done = run_job(
            worker, job, lesson, answer, limits=limits, on_event=on_event
        )
    return [put_together(lesson, [part]) for part in rounds_done]


def make_job(
    lesson: Lesson,
    answer: Path,
    *,
    tests: Collection[str] | None = None,
    rounds: int = 1,
    seed: int | None = None,
    limits: Limits = _DEFAULT,
) -> dict[str, Any]:
    """Return the job for a worker: run *tests*, or all of *lesson*, on *answer*."""
    return {
        "root": str(ROOT),
        "test_file": str(lesson.test_file),
        "app_file": str(answer.resolve()),
        "tests": [it.id for it in lesson.tests if tests is None or it.id in tests],
        "rounds": rounds,
        "seed": seed,
        "test_seconds": limits.test_seconds,
        "waits": False,
        "protected": [str(it) for it in file_integrity.protected(ROOT, lesson, answer)],
    }


@dataclass(frozen=True)
class Part:
    """The results of one worker's tests in one round."""

    judged: Mapping[str, TestVerdict]
    seconds: float
    output: str
    ending: Ending


def run_job(
    worker: WorkerProcess,
    job: Mapping[str, Any],
    lesson: Lesson,
    answer: Path,
    *,
    limits: Limits = _DEFAULT,
    on_event: Callable[[dict[str, Any]], None] | None = None,
) -> list[Part]:
    """Run *job* on *worker*, and return the result of each round.

    The caller has to end the worker.
    """
    tests = [test for test in lesson.tests if test.id in job["tests"]]
    before = file_integrity.stamps(ROOT, lesson, answer)
    began = time.monotonic()
    events: dict[int, list[dict[str, Any]]] = defaultdict(list)
    seconds: list[float] = []
    last: dict[str, Any] = {"event": "gone"}
    for event in worker.run(job, limits, job["rounds"]):
        last = event
        events[event.get("round", len(seconds))].append(event)
        if event["event"] == "round":
            seconds.append(time.monotonic() - began)
            began = time.monotonic()
        if on_event is not None:
            on_event(event)
    exit_code = worker.exit_code
    last_words = list(worker.last_words)
    outputs = worker.output.texts()
    uncollected = [
        e for part in events.values() for e in part if e["event"] == "uncollected"
    ]
    parts = []
    finished = len(seconds)
    written = file_integrity.changed(
        before, file_integrity.stamps(ROOT, lesson, answer)
    )
    for number in range(finished if last["event"] == "done" else finished + 1):
        ending = Ending("done")
        if uncollected:
            ending = Ending("error", _words_for_uncollected(lesson, uncollected[0]))
        elif number == finished:
            ending = _describe_ending(
                last, exit_code, last_words, answer, limits, events[number]
            )
        elif not any(event["event"] == "start" for event in events[number]):
            said = plain(outputs.get("", "")).strip().rpartition("\n")[2]
            ending = Ending("error", f"The tests could not be run. {said}".strip())
        judged = decide(
            tests,
            events_of_tests(events[number]),
            ending,
            outputs,
        )
        tampering = _words_for_tampering(last, events[number], ending, written)
        if tampering:
            line = str(last.get("line", ""))
            ending = Ending("error", tampering, line)
            # No result of this run can be trusted.
            judged = {
                test.id: TestVerdict(test, Verdict.ERROR, seen=tampering, line=line)
                for test in tests
            }
        took = seconds[number] if number < finished else time.monotonic() - began
        parts.append(Part(judged, took, outputs.get("", ""), ending))
    return parts


def part_of(
    lesson: Lesson,
    names: Sequence[str],
    events: Sequence[Mapping[str, Any]],
    ending: Ending,
) -> Part:
    """Return the part of a verdict for the tests with the *names*.

    Their output has already been printed.
    """
    tests = [test for test in lesson.tests if test.id in names]
    uncollected = [event for event in events if event["event"] == "uncollected"]
    if uncollected:
        ending = Ending("error", _words_for_uncollected(lesson, uncollected[0]))
    judged = decide(tests, events_of_tests(events), ending, {})
    return Part(judged, 0.0, "", ending)


def _words_for_tampering(
    last: Mapping[str, Any],
    events: list[dict[str, Any]],
    ending: Ending,
    written: Sequence[Path],
) -> str:
    """Return how the app interfered with its tests, or an empty string."""
    if last["event"] == "tampered":
        return f"app.py {last['what']}. {_NOT_GRADED}"
    if last["event"] == "forged":
        return f"app.py wrote test results itself. {_NOT_GRADED}"
    if written:
        names = ", ".join(_short(path) for path in written)
        return (
            f"{names} changed while the tests ran. Unless you saved it yourself, "
            "app.py changed it. `git status` shows which files differ from the "
            "published ones, and `git checkout -- FILE` restores one."
        )
    controls = [
        (str(it["id"]), str(it["outcome"]), str(it["message"]))
        for it in events
        if it["event"] == "control"
    ]
    wanted = [(name, "failed", words) for name, words in CONTROLS.items()]
    if ending.kind == "done" and controls != wanted:
        return (
            "A control test that must fail passed, so app.py has changed how tests "
            f"work. {_NOT_GRADED}"
        )
    return ""


# The messages of the failures in `control_tests.py`.
CONTROLS = {
    "test_a_control_fails": "a failure is told",
    "test_a_control_on_the_loop_fails": "418 {'tea': [1, 2]} 418 {'tea': [1, 2]}",
}
_NOT_GRADED = "An app that interferes with its tests is not graded. Remove that code."


def _short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def put_together(lesson: Lesson, parts: Sequence[Part]) -> LessonVerdict:
    """Return the verdict on a file whose tests were partitioned into *parts*.

    Every test of the lesson must be in one of them.
    """
    judged = {name: each for part in parts for name, each in part.judged.items()}
    endings = [part.ending for part in parts if part.ending.kind != "done"]
    return LessonVerdict(
        lesson,
        tuple(
            StepVerdict(
                step.number,
                step.title,
                tuple(judged[test.id] for test in step.tests),
            )
            for step in lesson.steps
        ),
        max(part.seconds for part in parts),
        "\n".join(part.output for part in parts if part.output),
        endings[0] if endings else Ending("done"),
        edited_tests(lesson),
    )


def _describe_ending(
    last: Mapping[str, Any],
    exit_code: int | None,
    last_words: list[str],
    answer: Path,
    limits: Limits,
    events: list[dict[str, Any]],
) -> Ending:
    """Describe in words why a run ended early."""
    line = line_in(answer, last_words)
    where = f" It was at {line}." if line else ""
    begun = any(event["event"] == "start" for event in events)
    match last["event"]:
        case "timed_out":
            return Ending(
                "timed out",
                f"All tests together took longer than {limits.run_seconds:.0f} s.",
            )
        case "stalled" if not begun:
            return Ending(
                "error",
                "The tests did not start, because importing them took longer than "
                f"{limits.start_seconds:.0f} s. Run `python -m workshop doctor`.",
            )
        case "stalled":
            return Ending(
                "timed out",
                f"The test did not end within {limits.test_seconds:.0f} s.{where} "
                + (
                    "A loop that never ends, or a call that never returns, blocked "
                    "the whole process."
                    if line
                    else "Everything was waiting for something that never happened."
                ),
                line,
            )
        case "output_limit":
            return Ending(
                "error",
                "app.py printed more than "
                f"{limits.output_bytes // 1000} kB, so the run was stopped. Is there "
                "a print in a loop that never ends?",
                line,
            )
        case "process_limit":
            return Ending(
                "error",
                f"app.py started more than {limits.processes} processes, so the run "
                "was stopped. Does it start itself again?",
                line,
            )
        case "breakpoint":
            return Ending(
                "stopped",
                f"app.py stopped at a breakpoint ({last['where']}), where no debugger "
                "can open. Run the tests with --debug, or remove the breakpoint.",
                str(last["line"]),
            )
        case "broken":
            return Ending(
                "crashed",
                "The test run failed, but not because of app.py: "
                + str(last.get("traceback", "")).strip().rpartition("\n")[2]
                + ". `python -m workshop doctor` looks for the cause.",
            )
        case _:
            return Ending("crashed", _words_for_exit(exit_code, where), line)


def _words_for_exit(exit_code: int | None, where: str) -> str:
    if exit_code is not None and exit_code < 0 and sys.platform != "win32":
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            name = f"signal {-exit_code}"
        return (
            f"The process that ran app.py was ended by {name}.{where} Did compiled "
            "code crash, or did something kill it?"
        )
    return (
        "The process that ran app.py exited in the middle of the test, "
        f"with exit code {exit_code}.{where} Did something call os._exit()?"
    )


def _words_for_uncollected(lesson: Lesson, event: Mapping[str, Any]) -> str:
    what = str(event["message"]).strip().rpartition("\n")[2]
    return (
        f"{lesson.test_file.name} cannot be run: {what}. Do not edit a lesson's "
        f"tests: `git checkout -- {lesson.test_file.name}` restores them."
    )


def line_in(answer: Path, last_words: list[str]) -> str:
    """Return the innermost line of *answer* in a dumped stack, as `app.py:14`."""
    frame = re.compile(r'^\s*File "(?P<file>.+)", line (?P<line>\d+) in (?P<name>.+)$')
    for words in last_words:
        match = frame.match(words)
        if match and Path(match["file"]) == answer.resolve():
            number = int(match["line"])
            lines = answer.read_text(encoding="utf-8", errors="replace").splitlines()
            source = lines[number - 1].strip() if number <= len(lines) else ""
            return f"{answer.name}:{number}  {source}"
    return ""
