"""Run tests in the foreground, with a debugger in the terminal.

`python -m workshop.grading.debugged JOB EVENTS` runs the job in the file JOB as a
worker would, with two differences: the app uses the terminal, and there is no time
limit. Events are written to the file EVENTS as lines of JSON, because the debugger uses
the standard streams.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workshop.grading.engine import make_job, part_of
from workshop.grading.verdict import Ending, StepVerdict
from workshop.grading.worker import arguments, preload
from workshop.lesson import Lesson, Step
from workshop.paths import ROOT
from workshop.processes.environment import environment_of_tests
from workshop.sandbox.event_channel import EventChannel
from workshop.sandbox.limits import Limits
from workshop.terminal.control_codes import cleaned
from workshop.terminal.output import safe_plain, safe_standard_streams

_NO_LIMITS = Limits(test_seconds=0.0)
_DEBUGGER = "PYTHONBREAKPOINT"


def debug(
    lesson: Lesson, answer: Path, step: Step, environment: Mapping[str, str]
) -> StepVerdict:
    """Run the tests of *step* on *answer* in this terminal; return the verdict.

    If `PYTHONBREAKPOINT` names another debugger, that one is used.
    """
    tests = [test.id for test in step.tests]
    job = {**make_job(lesson, answer, limits=_NO_LIMITS), "tests": tests}
    own = {name: os.environ[name] for name in (_DEBUGGER,) if os.environ.get(name)}
    with tempfile.TemporaryDirectory(
        prefix="workshop-run-", ignore_cleanup_errors=True
    ) as folder:
        own |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)
        job_file, events_file = Path(folder, "job.json"), Path(folder, "events")
        job_file.write_text(json.dumps(job), encoding="utf-8")
        events_file.touch()
        # In our own process group: only that group may read from the terminal.
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(job_file), str(events_file)],
            cwd=ROOT,
            env=environment_of_tests({**environment, **own}),
        )
        interrupted = False
        while True:
            try:
                code = process.wait()
                break
            except KeyboardInterrupt:
                interrupted = True  # the tests received it too, and end
        events = _read(events_file)
    kinds = {event["event"] for event in events}
    ending = Ending("done")
    if "quit" in kinds or interrupted:
        ending = Ending("stopped", "You quit the debugger.")
    elif "done" not in kinds:
        ending = Ending("crashed", f"The test run ended early, with exit code {code}.")
    judged = part_of(lesson, tests, events, ending).judged
    return StepVerdict(step.number, step.title, tuple(judged[name] for name in tests))


def _read(file: Path) -> list[dict[str, Any]]:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    events: list[Any] = [cleaned(json.loads(line), safe_plain) for line in lines]
    return events


class _ForegroundChannel(EventChannel):
    """Writes events to a file, and prints the name of each test that starts."""

    def mark(self, test: str, *, again: bool = False) -> None:
        if test and not again:
            sys.stderr.write(f"--- {test}\n")


def main(job_file: Path, events_file: Path) -> None:
    """Run the job. `quit` in the debugger ends this process at once."""
    import pytest

    from workshop.grading.recorder import Recorder
    from workshop.testing.app.breakpoints import debug_at_breakpoints
    from workshop.testing.time.debugging import lift_limits

    job = json.loads(job_file.read_text(encoding="utf-8"))
    with (
        events_file.open("a", encoding="utf-8") as stream,
        safe_standard_streams(),
    ):
        channel = _ForegroundChannel(stream)
        preload()

        def leave() -> None:
            channel.send("quit")
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)

        lift_limits()
        debug_at_breakpoints(leave)
        sys.dont_write_bytecode = True
        recorder = Recorder(channel, job, 0, None)
        pytest.main(arguments(job), plugins=[recorder])
        recorder.finish()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
