"""Lines about what an update changed, or would change."""

from __future__ import annotations

from collections.abc import Sequence

from workshop.commands import command
from workshop.screen.pages import short
from workshop.update.update import Report


def check_lines(report: Report) -> list[str]:
    """Return what an update would change, including the learner's files."""
    if report.is_empty:
        return [*report.notes, f"There is nothing new in {report.source}."]
    plan = report.plan
    lines = [*report.notes, f"{report.source} has {_amount(report)} for you."]
    lines += _lessons(report)
    if plan.kept:
        lines.append(f"Your app.py would stay as it is: {_numbers(plan.kept)}.")
    if plan.new_starters:
        lines.append(f"The starter has changed: {_numbers(plan.new_starters)}.")
    lines += [
        f"The course no longer has {slug}. Your app.py would be moved to the copies."
        for slug in plan.retired
    ]
    lines += [
        f"{path} would be replaced by the course's. A copy of yours would be kept."
        for path in plan.replaced
    ]
    lines += [
        f"{path} prevents the update: you and the course changed the same lines."
        for path in plan.conflicts
    ]
    lines += [
        f"{path} prevents the update: it is not a file." for path in plan.obstacles
    ]
    return [*lines, f"To update: {command('update')}"]


def update_lines(report: Report) -> list[str]:
    """Return what changed, what stayed, and how to undo it."""
    if report.is_empty:
        lines = [*report.notes, f"There is nothing new in {report.source}."]
        return lines + _copies(report)
    on = "" if report.branch in ("main", "master") else f", on {report.branch}"
    lines = [*report.notes, f"Updated by {_amount(report)} from {report.source}{on}."]
    lines += _lessons(report)
    if report.plan.kept:
        lines.append(f"Your app.py stays as it was: {_numbers(report.plan.kept)}.")
    for slug in report.plan.new_starters:
        span = f"{report.before[:10]} {report.after[:10]}"
        lines += [
            f"Lesson {slug[:2]} has a new starter, so your app.py may not match its "
            f"tests. To use it (yours is kept): {command('reset', slug[:2])}",
            # Compare with this copy of the starter: HEAD may have the learner's app.py.
            f"  To see its changes: git diff {span} -- solutions/{slug}/steps/0.py",
        ]
    lines += _replaced(report)
    lines += _copies(report)
    return [*lines, f"To undo the update: {command('update', options='--undo')}"]


def undo_lines(report: Report) -> list[str]:
    """Return what the undo of an update has changed."""
    lines = [*report.notes, f"The update was undone ({report.before[:10]})."]
    if report.plan.kept:
        lines.append(f"Your app.py stays as it was: {_numbers(report.plan.kept)}.")
    lines += _replaced(report)
    return [*lines, *_copies(report), f"To update again: {command('update')}"]


def _amount(report: Report) -> str:
    return f"{_count(report.commits, 'commit')} with {_count(report.files, 'file')}"


def _lessons(report: Report) -> list[str]:
    rows = (
        ("New", report.new),
        ("Changed", report.lessons),
        ("No longer in the course", report.gone),
    )
    return [f"{words}: {_numbers(slugs)}." for words, slugs in rows if slugs]


def _replaced(report: Report) -> list[str]:
    lines = []
    for path, copy in report.kept_in.items():
        gone = path in {f"lessons/{slug}/app.py" for slug in report.plan.retired}
        why = "is no longer in the course" if gone else "was replaced by the course's"
        lines.append(f"{path} {why}. Yours is kept: {short(copy)}")
    return lines


def _copies(report: Report) -> list[str]:
    if not report.snapshots:
        return []
    where = short(report.snapshots[0].folder.parents[1])
    slugs = [it.slug for it in report.snapshots]
    return [f"Copies of your work in {_numbers(slugs)} are in {where}"]


def _numbers(slugs: Sequence[str]) -> str:
    """Return lesson numbers for a sentence: `lesson 03`, `lessons 03, 04_streaming`."""
    word = "lesson" if len(slugs) == 1 else "lessons"
    return f"{word} {', '.join(slugs)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
