"""Shut a command down cleanly on Ctrl-C, SIGTERM and a closed terminal.

By default SIGTERM and SIGHUP end Python immediately. Here both act like Ctrl-C: an
exception unwinds the command, so everything that it started is stopped. A second
signal ends the command at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from workshop.processes.supervised import hurry
from workshop.processes.terminal import StarterWatch, is_watchable, let_go_of_terminal

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_SAME_SECONDS = 1.0
"""The window in which a second SIGTERM is a copy: make and `timeout` pass it on."""
_PATIENCE_SECONDS = 20.0
"""The limit for a clean shutdown when there is no user to press Ctrl-C again."""

# Resets what a full-screen program has set: the alternate screen, mouse reporting,
# bracketed paste and the hidden cursor.
_PLAIN_SCREEN = b"\x1b[?1049l\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?25h"


class Stopped(KeyboardInterrupt):
    """The command was asked to end, by Ctrl-C or by a similar signal."""


class OrderlyEnd:
    """How this command shuts down, while `orderly_end` is active."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._first_at = 0.0
        self._leave: Callable[[], bool] | None = None
        self._modes: list[Any] | None = _terminal_modes()

    def exit_code(self, code: int) -> int:
        """Return *code*, or the shell's exit code for SIGTERM or SIGHUP."""
        if self._first is None or self._first == signal.SIGINT:
            return code
        return 128 + self._first

    @contextmanager
    def leaving_by(self, leave: Callable[[], bool]) -> Iterator[None]:
        """In the block, call *leave* on a signal instead of raising `Stopped`.

        *leave* returns whether the program that owns the main thread will end.
        """
        self._leave = leave
        try:
            yield
        finally:
            self._leave = None

    def take(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        now = time.monotonic()
        if self._first is None:
            self._first, self._first_at = number, now
            if is_watchable():
                let_go_of_terminal()
            if number != signal.SIGINT:
                _in_any_case(self._end_at_once)
            if self._leave is None or not self._leave():
                raise Stopped
        elif number == signal.SIGINT or self._is_another(number, now):
            self._end_at_once()

    def _is_another(self, number: int, now: float) -> bool:
        hang_up = number == getattr(signal, "SIGHUP", None)
        return not hang_up and now - self._first_at > _SAME_SECONDS

    def _end_at_once(self) -> None:
        hurry()
        with contextlib.suppress(OSError, ValueError):
            if self._leave is not None and os.isatty(2):
                os.write(2, _PLAIN_SCREEN)
            _set_terminal_modes(self._modes)
        os._exit(128 + (self._first or signal.SIGINT))


_current: OrderlyEnd | None = None


@contextmanager
def orderly_end() -> Iterator[OrderlyEnd]:
    """Turn signals into a clean shutdown for the duration of the block.

    Signals that were ignored before, as under `nohup`, stay ignored. Nested blocks
    have no effect. Call it in the main thread, the only one that receives signals.
    """
    global _current
    if threading.current_thread() is not threading.main_thread():
        yield OrderlyEnd()
        return
    if _current is not None:
        yield _current
        return
    _current = OrderlyEnd()
    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {}
    for name in _NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in usual:
            before[number] = signal.signal(number, _current.take)
    watch = _watch_for_hang_up() if _hang_up() in before else None
    try:
        yield _current
    finally:
        if watch is not None:
            watch.close()
        for number, handler in before.items():
            signal.signal(number, handler)
        _current = None


@contextmanager
def leaving_by(leave: Callable[[], bool]) -> Iterator[None]:
    """In the block, call *leave* on a signal; see `OrderlyEnd.leaving_by`."""
    if _current is None:
        yield
        return
    with _current.leaving_by(leave):
        yield


def _hang_up() -> int | None:
    return getattr(signal, "SIGHUP", None)


def _watch_for_hang_up() -> StarterWatch | None:
    if sys.platform == "win32":
        return None
    main = threading.main_thread().ident
    assert main is not None
    return StarterWatch(lambda: signal.pthread_kill(main, signal.SIGHUP))


def _in_any_case(end: Callable[[], None]) -> None:
    timer = threading.Timer(_PATIENCE_SECONDS, end)
    timer.daemon = True
    timer.start()


def _terminal_modes() -> list[Any] | None:
    if sys.platform == "win32":
        return None
    import termios

    try:
        return termios.tcgetattr(0)
    except (termios.error, OSError):
        return None


def _set_terminal_modes(modes: list[Any] | None) -> None:
    if sys.platform == "win32" or modes is None:
        return
    import termios

    with contextlib.suppress(termios.error):
        termios.tcsetattr(0, termios.TCSANOW, modes)
