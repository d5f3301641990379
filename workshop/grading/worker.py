"""The process in which a lesson's tests run, once.

Started as `python -m workshop.grading.worker` with three pipes. It imports what
lessons need, reads one job from its standard input, and runs it. Then it stays until
the process that started it ends the whole process group, so that nothing that the
answer has started survives.

If the job `waits`, the worker does in advance all that it can do without the answer,
including the collection of the tests. A second line then names the tests to run. With
`--fork-server` standard input is a socket, and the worker forks a process for each
request, which runs the tests. (See `workshop.sandbox.control_channel`.)

- standard input: the job, one line of JSON. If it is closed, the worker ends at once.
- standard error: events, one line of JSON each. Other lines are the interpreter's own
  last words.
- standard output: what the answer prints, with a marker line between tests.
"""

from __future__ import annotations

import contextlib
import copy
import faulthandler
import importlib
import logging
import os
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from workshop.grading.breakpoints import report_breakpoints
from workshop.grading.warm_up import rehearse, warm_up, warm_up_database
from workshop.sandbox.control_channel import (
    ControlChannel,
    ForkingControlChannel,
    wait_to_be_ended,
)
from workshop.sandbox.event_channel import EventChannel


def main() -> None:
    """Take one job and run it. Does not return."""
    descriptor = os.dup(0)
    # Duplicated descriptors are not inherited, so a child process of the app cannot
    # hold the event pipe open.
    events = os.fdopen(os.dup(2), "w", encoding="utf-8", buffering=1)
    _detach_standard_streams()
    faulthandler.enable(events)
    channel = EventChannel(events)
    control = (
        ForkingControlChannel(descriptor, channel, rehearse)
        if "--fork-server" in sys.argv
        else ControlChannel(descriptor, channel)
    )
    try:
        preload()
        report_breakpoints(channel)
        job = control.job()
        if not job["waits"]:
            channel.send("ready")
        if "done_by" in job:  # the job is not a test run
            importlib.import_module(job["done_by"]).do(job, channel)
            channel.mark("")
            channel.send("done")
        else:
            _run(job, channel, control)
    except BaseException:  # noqa: BLE001 -- every end of this process is reported
        channel.send("broken", traceback=traceback.format_exc())
    wait_to_be_ended()


# Of the errors in a group.
_MOST_ERRORS = 8


class BriefFormatter(logging.Formatter):
    """Reduces a traceback to what a learner needs: lines of app.py, and the error.

    `--traceback` and other handlers still get the complete traceback, because nothing
    of this format is stored in the record.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as text."""
        record = copy.copy(record)
        if record.exc_info:
            record.exc_text = None  # another handler's formatter may have set it
        return super().format(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 -- logging's name
        """Return the learner's frames and the last line; for a group, its errors."""
        from workshop.testing.reporting.exception_groups import (
            full_name,
            in_its_group,
            leaves,
        )
        from workshop.testing.reporting.shortened import counted

        _, error, tb = ei
        told = []
        for leaf in leaves(error):
            lines = _learners_lines(leaf.__traceback__) or _learners_lines(tb)
            words = str(leaf).strip().partition("\n")[0]
            last = f"  {full_name(leaf)}: {words}{in_its_group(leaf, error)}"
            told.append("\n".join([*lines, last]))
        return "\n".join(counted(told, _MOST_ERRORS))


def _learners_lines(tb: TracebackType | None) -> list[str]:
    from workshop.testing.reporting.source import is_learner_file

    return [
        f"  {Path(frame.filename).name}:{frame.lineno}  {frame.line}"
        for frame in traceback.extract_tb(tb)
        if Path(frame.filename).name == "app.py" or is_learner_file(frame.filename)
    ]


def _detach_standard_streams() -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(1, 2)


def preload() -> None:
    """Import what every lesson needs, and print log lines."""
    # Formatted like uvicorn's log, so that learners see their own log lines.
    handler = logging.StreamHandler()
    handler.setFormatter(BriefFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # The log of every request of the tests, which the learner did not write.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    import fastapi
    import httpx2
    import pytest

    import workshop.testing.plugin

    del fastapi, httpx2, pytest, workshop


# Modules that apps or their tests import, and their imports. They take up to two
# seconds, which must not count for a test.
_COSTLY = {
    "sqlalchemy": ("sqlalchemy.ext.asyncio",),
    "sqlite": ("sqlalchemy.dialects.sqlite.aiosqlite",),
    "aiosqlite": ("aiosqlite",),
    "postgres": ("sqlalchemy.dialects.postgresql.asyncpg",),
    "asyncpg": ("asyncpg",),
    "redis": ("redis.asyncio", "workshop.testing.services.redis"),
    "serve": ("uvicorn", "workshop.testing.app.server"),
    "database": ("workshop.testing.services.database",),
    "thread_pool": ("workshop.testing.app.thread_pool",),
}


def _preload_for(job: dict[str, Any]) -> None:
    """Import the modules that the job's files import, as far as they exist."""
    texts = [os.environ.get("WORKSHOP_DATABASE_URL", "")]
    for name in (job["app_file"], job["test_file"]):
        with contextlib.suppress(OSError):
            texts.append(Path(name).read_text(encoding="utf-8", errors="replace"))
    for word, modules in _COSTLY.items():
        if any(word in text for text in texts):
            with contextlib.suppress(ImportError):
                for module in modules:
                    importlib.import_module(module)


def _run(job: dict[str, Any], channel: EventChannel, control: ControlChannel) -> None:
    import pytest

    from workshop.grading.recorder import Recorder

    # Python validates cached byte code by file size and whole seconds, so a second save
    # within a second could get the verdict on the first.
    _preload_for(job)
    if job["waits"]:
        warm_up()
        if "sqlalchemy.orm" in sys.modules:
            warm_up_database()
    sys.dont_write_bytecode = True
    for number in range(job["rounds"]):
        recorder = Recorder(channel, job, number, control)
        pytest.main(arguments(job), plugins=[recorder])
        recorder.finish()


def arguments(job: dict[str, Any]) -> list[str]:
    """Return pytest's arguments: everything that is needed, without its own output."""
    return [
        job["test_file"],
        os.fspath(Path(__file__).with_name("control_tests.py")),
        *("-c", os.fspath(Path(__file__).with_name("pytest.ini"))),
        *("--rootdir", job["root"]),
        *("--app", job["app_file"]),
        "--import-mode=importlib",
        "--noconftest",
        "--capture=no",
        "--assert=plain",
        "--disable-plugin-autoload",
        *("-p", "anyio.pytest_plugin"),
        *("-p", "workshop.testing.plugin"),
        *("-p", "no:terminal"),
        # This plugin would open its own debugger, on the terminal plugin.
        *("-p", "no:debugging"),
        *("-p", "no:logging"),
        *("-p", "no:warnings"),
        *("-p", "no:faulthandler"),
        *("-p", "no:cacheprovider"),
    ]


if __name__ == "__main__":
    main()
