"""Time limits are lifted while a person uses a debugger.

A debugger counts as present if

- the process was told so (`lift_limits`): `test --debug`, or pytest has entered pdb,
- a trace function is set that is not a coverage tool's: pdb, and the debuggers of
  editors up to Python 3.11,
- a tool has registered as the debugger with `sys.monitoring`: those from 3.12 on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_lifted = False
_prompts = 0


def lift_limits(lifted: bool = True) -> None:
    """Set no limits in real time from now on, in this process."""
    global _lifted
    _lifted = lifted


def limits_are_lifted() -> bool:
    """Whether a person may be looking at this process in a debugger."""
    return _lifted or _is_traced() or _is_monitored()


def real_seconds(seconds: float) -> float | None:
    """Return *seconds* for a wait in real time, None for no limit."""
    return None if limits_are_lifted() else seconds


@contextmanager
def at_prompt() -> Iterator[None]:
    """Note that the block waits for a person, in any thread."""
    global _prompts
    _prompts += 1
    try:
        yield
    finally:
        _prompts -= 1


def is_at_prompt() -> bool:
    """Whether a thread waits for a person, so that its silence means nothing."""
    return _prompts > 0


def _is_traced() -> bool:
    tracer = sys.gettrace()
    # coverage's tracers are an instance of their class, or a method of one.
    owner = getattr(tracer, "__self__", tracer)
    return tracer is not None and not type(owner).__module__.startswith("coverage")


def _is_monitored() -> bool:
    if sys.version_info < (3, 12):
        return False
    return sys.monitoring.get_tool(sys.monitoring.DEBUGGER_ID) is not None
