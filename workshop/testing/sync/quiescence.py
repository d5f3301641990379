"""Can anything still happen that the event loop does not do by itself?

Waiting for threads or sockets takes patience, unless it is certain that none of them
will act: every thread waits to be woken, and for every connection the other end is in
this loop too, or has already answered.
"""

from __future__ import annotations

import asyncio
import dis
import linecache
import math
import os
import re
import sys
import threading
import time
from pathlib import Path
from types import CodeType, FrameType

from workshop.private_apis.event_loop import (
    context_of,
    timers_of,
    waits_for_others,
)
from workshop.testing.sync.latch import Latch
from workshop.testing.time.clock import ManualClockLoop
from workshop.testing.time.event_loop import WatchedLoop, owner
from workshop.testing.time.watchdog import Watchdog

# A thread at such a line continues only when another thread gives it something. It has
# no timeout after which it would continue by itself.
_WAITS = re.compile(
    r"\b(?:get|acquire|wait)\((?:block=True|True)?\)|\biter\([\w.]+\.get, "
)
# A thread at the first of these instructions calls `__enter__()` of a block; since
# Python 3.14 it is a call after the second one.
_ENTERS = dis.opmap.get("BEFORE_WITH")
_LOOKS_UP = dis.opmap.get("LOAD_SPECIAL")
_CALL = dis.opmap["CALL"]
# What `Thread.join` calls last; that depends on Python's version.
_JOINS = ("join", "_wait_for_tstate_lock")
_TASKS = "/proc/self/task"
_HAS_TASKS = Path(_TASKS).is_dir()
# After the name of the program, which may contain anything.
_STATE = re.compile(rb".*\) (\w) ", re.DOTALL)
_HELD: frozenset[CodeType] = frozenset({Latch.wait.__code__})


def is_quiescent(loop: asyncio.AbstractEventLoop, seconds: float = math.inf) -> bool:
    """Return whether nothing but *loop* itself can change anything within *seconds*.

    False means: perhaps something can.
    """
    return (
        isinstance(loop, WatchedLoop)
        and not loop.strangers
        and all(connection.owes_nothing for connection in loop.connections)
        and not has_timer_of_an_app(loop, seconds)
        and _threads_are_parked(loop)
    )


def is_deadlocked(loop: WatchedLoop) -> bool:
    """Return whether only the calling thread can ever let *loop* go on.

    Call it from another thread than the loop's. True means: the loop's thread waits for
    a thread, and so do all others. False means: perhaps something else can happen.

    It is true at some moments of a loop that goes on, too: while its thread starts
    another one, or has been woken and waits for the interpreter. Only a loop that has
    not gone on between several looks is deadlocked; see `activity`.
    """
    return (
        not loop.strangers
        and _is_parked(sys._current_frames().get(threading.main_thread().ident or 0))
        and _threads_are_parked(loop)
        and threads_are_asleep()
    )


def activity(loop: WatchedLoop) -> tuple[int, float]:
    """Return how often *loop* has turned, and the seconds its thread has computed.

    The seconds are 0 where the system does not tell them, as on Windows and macOS.
    """
    loops_thread = threading.main_thread().ident
    if sys.platform == "win32" or loops_thread is None:
        return loop.turns, 0.0
    if not hasattr(time, "pthread_getcpuclockid"):
        return loop.turns, 0.0
    return loop.turns, time.clock_gettime(time.pthread_getcpuclockid(loops_thread))


def threads_are_asleep() -> bool:
    """Return whether the operating system says that all other threads sleep.

    A thread that has just been given something still stands at the line where it
    waited for it, but the system has marked it as runnable. False also means: unknown,
    because only Linux tells.
    """
    if not _HAS_TASKS:
        return False
    here = str(threading.get_native_id())
    # This runs several times in each wait for idleness, and pathlib would be slower.
    try:
        tasks = os.listdir(_TASKS)  # noqa: PTH208
        return all(_sleeps(task) for task in tasks if task != here)
    except OSError:
        return False  # a thread has ended just now


def _sleeps(task: str) -> bool:
    with open(f"{_TASKS}/{task}/stat", "rb", buffering=0) as file:  # noqa: PTH123
        state = _STATE.search(file.read())
    return state is not None and state[1] == b"S"


def has_timer_of_an_app(loop: asyncio.AbstractEventLoop, seconds: float) -> bool:
    """Return whether an app will be woken by the time alone within *seconds*.

    Under a manual clock only the test lets time pass.
    """
    soon = loop.time() + seconds
    return not isinstance(loop, ManualClockLoop) and any(
        it.when() < soon and context_of(it).get(owner) is not None
        for it in timers_of(loop)
    )


def _threads_are_parked(loop: WatchedLoop) -> bool:
    frames = sys._current_frames()
    return all(
        _is_parked(frame := frames.get(thread.ident or 0))
        or (frame is not None and waits_for_others(frame))
        for thread in threading.enumerate()
        if thread is not threading.current_thread()
        and thread not in loop.threads_before
        and not isinstance(thread, Watchdog)
    )


def _is_parked(frame: FrameType | None) -> bool:
    number = None if frame is None else _line_number(frame)
    if frame is None or number is None:
        return False
    line = linecache.getline(frame.f_code.co_filename, number)
    return (
        bool(_WAITS.search(line))
        or _enters_lock(frame)
        or _joins(frame)
        or _is_held(frame)
    )


def _line_number(frame: FrameType) -> int | None:
    # Typeshed says `int`. It is None while a thread that has just been started, or is
    # about to call, is between two lines: code that the compiler added has no line.
    return frame.f_lineno


def _enters_lock(frame: FrameType) -> bool:
    """Return whether the thread waits at `with lock:`, however the line names the lock.

    A block that is written in Python would have a frame of its own. Of those that are
    not, only locks wait.
    """
    code, here = frame.f_code.co_code, frame.f_lasti
    if here < 2:
        return False
    looked_up = code[here - 2] == _LOOKS_UP and code[here] == _CALL
    return code[here] == _ENTERS or looked_up


def _joins(frame: FrameType) -> bool:
    """Return whether the thread waits for the end of another one, without a timeout."""
    code = frame.f_code
    return (
        code.co_filename == threading.__file__
        and code.co_name in _JOINS
        and frame.f_locals.get("timeout") in (None, -1)
    )


def _is_held(frame: FrameType | None) -> bool:
    """Return whether the thread waits at a gate or a rendezvous of the test."""
    while frame is not None:
        if frame.f_code in _HELD:
            return True
        frame = frame.f_back
    return False
