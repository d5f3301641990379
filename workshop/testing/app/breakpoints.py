"""What `breakpoint()` and `pdb.set_trace()` do in a learner's app.

Without a person at the app's standard input, a debugger's prompt would wait forever or
fail at the end of input. A function is called there instead (`call_at_breakpoints`).
With `--debug` the app has the terminal, and `debug_at_breakpoints` gives it pdb.
"""

from __future__ import annotations

import os
import pdb
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from workshop.testing.reporting.source import SourceLine, is_learner_file
from workshop.testing.time.debugging import at_prompt


def call_at_breakpoints(report: Callable[[SourceLine], None]) -> None:
    """Call *report* with the line of each breakpoint, and open no debugger."""

    def stop(*_: object, **__: object) -> None:
        report(_line_of(sys._getframe(1)))

    async def stop_async(*_: object, **__: object) -> None:
        report(_line_of(sys._getframe(1)))

    def stop_method(self: object, *_: object, **__: object) -> None:
        report(_line_of(sys._getframe(1)))

    sys.breakpointhook = stop
    pdb.set_trace = stop
    pdb.Pdb.set_trace = stop_method  # type: ignore[method-assign]
    if sys.version_info >= (3, 14):
        pdb.set_trace_async = stop_async


class Debugger(pdb.Pdb):
    """pdb, for an app that has the terminal. Its `quit` calls *on_quit*.

    Ctrl-C stays with the server or the test run, and quits the debugger, too. If
    *on_quit* returns, `bdb.BdbQuit` is raised in the app.
    """

    def __init__(self, on_quit: Callable[[], None]) -> None:
        super().__init__(nosigint=True)
        self._on_quit = on_quit

    def cmdloop(self, intro: Any = None) -> None:
        """Read commands until one lets the app go on."""
        try:
            with at_prompt(), _interrupted_by_ctrl_c():
                super().cmdloop(intro)
        except KeyboardInterrupt:
            self.set_quit()

    def set_quit(self) -> None:
        """Leave the debugger."""
        self._on_quit()
        super().set_quit()


@contextmanager
def _interrupted_by_ctrl_c() -> Iterator[None]:
    """Make Ctrl-C raise `KeyboardInterrupt` in the block, whatever else it does.

    A server only notes that it has to stop. It would never do so while the prompt waits
    for a line in the same thread.
    """
    before = signal.getsignal(signal.SIGINT)
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or not callable(before):
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        before(number, frame)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def debug_at_breakpoints(on_quit: Callable[[], None]) -> None:
    """Open a debugger at each breakpoint: pdb, or the one of `PYTHONBREAKPOINT`."""

    def stop(*_: object, **__: object) -> None:
        Debugger(on_quit).set_trace(sys._getframe(1))

    if not os.environ.get("PYTHONBREAKPOINT"):
        sys.breakpointhook = stop
    pdb.set_trace = stop


def _line_of(frame: FrameType) -> SourceLine:
    """Return the innermost line of the learner's file, or the line of *frame*."""
    each: FrameType | None = frame
    while each is not None:
        name = each.f_code.co_filename
        if is_learner_file(name) or Path(name).name == "app.py":
            return _source_line(each)
        each = each.f_back
    return _source_line(frame)


def _source_line(frame: Any) -> SourceLine:
    return SourceLine(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
