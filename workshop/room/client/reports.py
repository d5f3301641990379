"""The events that a learner's machine reports to the room, as in the protocol.

Reports are plain dictionaries: a command must store them before it ends, and importing
pydantic may take longer than the command itself. They name lessons, steps and tests,
but never contain code, paths, output or failure messages.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

Report = dict[str, object]
"""An event of the protocol, ready for JSON."""

MOST_TESTS = 50
_LONGEST_NAME = 200
_LAST_RUNG = 4
_MOST_SECONDS = 3600.0


def _event(kind: str) -> Report:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"kind": kind, "id": str(uuid.uuid4()), "at": now}


def opened(lesson: str, step: int) -> Report:
    """Return the event that the learner now works on *step*."""
    return {**_event("opened"), "lesson": lesson, "step": step}


def judged(
    lesson: str, step: int, *, passed: bool, failed: Sequence[str], seconds: float
) -> Report:
    """Return the verdict on *step*, with the names of the failed tests."""
    names = [name[:_LONGEST_NAME] for name in failed[:MOST_TESTS]]
    return {
        **_event("judged"),
        "lesson": lesson,
        "step": step,
        "passed": passed,
        "failed": names,
        "seconds": round(min(max(seconds, 0.0), _MOST_SECONDS), 3),
    }


def hint_shown(lesson: str, step: int, rung: int) -> Report:
    """Return the event that hint *rung* was read; 4 is the change itself."""
    rung = min(rung, _LAST_RUNG)
    return {**_event("hint"), "lesson": lesson, "step": step, "rung": rung}


def solution_shown(lesson: str) -> Report:
    """Return the event that the learner has opened the solution."""
    return {**_event("solution"), "lesson": lesson}


def help_wanted(wanted: bool) -> Report:
    """Return the event that the learner asks for help, or no longer needs it."""
    return {**_event("help"), "wanted": wanted}


def heartbeat() -> Report:
    """Return the event that the learner is still connected."""
    return _event("heartbeat")


def vote(poll: str, choice: str) -> Report:
    """Return the learner's choice in a poll."""
    return {**_event("vote"), "poll": poll, "choice": choice}
