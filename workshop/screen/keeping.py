"""Lines about the replacement of a learner's files."""

from __future__ import annotations

from workshop.commands import command
from workshop.progress import Replacement, Snapshot
from workshop.screen.pages import short

_PASSED_WIDTH = len("passed: 1, 2, 3, 4, 5")


def replacement_lines(it: Replacement, undo: str = "") -> list[str]:
    """Return what was done, how to undo it, and where the copies are.

    *undo* says how to undo it here. The default is the command.
    """
    number = it.lesson.number
    if it.back_to is not None:
        became = f"as it was before the {it.back_to.verb} of {when(it.back_to)}"
    elif it.step == 1:
        became = "the starter"
    else:
        became = f"the solution of the steps before step {it.step}"
    if not it.changed:
        return [f"Lesson {number}: app.py is {became} already. Nothing was changed."]
    done = f"Lesson {number}: app.py is now {became}."
    if it.kept is None:
        return [f"{done} There was no app.py before."]
    undo = undo or command("undo", number)
    return [
        f"{done} To undo this: {undo}",
        f"Your files are kept in {short(it.kept.folder)}",
    ]


def snapshot_lines(snapshots: list[Snapshot]) -> list[str]:
    """Return a line for each of *snapshots*, and how to restore one."""
    width = max(len(str(it.number)) for it in snapshots)
    lines = [
        f"{it.number:>{width}}  {when(it)}  before {it.verb:<8}  {_passed(it)}"
        f"  {short(it.folder)}"
        for it in snapshots
    ]
    last = snapshots[0]
    back = command("undo", last.slug[:2], f"--to {last.number}")
    return [*lines, "", f"To restore one of them: {back}"]


def _passed(it: Snapshot) -> str:
    steps = ", ".join(map(str, it.passed))
    return f"passed: {steps or 'none'}".ljust(_PASSED_WIDTH)


def when(it: Snapshot) -> str:
    """Return a snapshot's time as text."""
    return it.time.strftime("%Y-%m-%d %H:%M:%S")
