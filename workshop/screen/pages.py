"""Print a lesson's texts: its brief, a hint, the solution, the list."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from workshop.actions.results import Comparison, Hints
from workshop.commands import command
from workshop.lesson import Lesson, Step
from workshop.progress import LessonRecord, State
from workshop.screen.console import colour, mark, out
from workshop.terminal.control_codes import plain_line, visible

if TYPE_CHECKING:
    from rich.text import Text


def print_list(lessons: Iterable[Lesson], state: State) -> None:
    """Print a line for each lesson: number, title, minutes, progress.

    Rich is not used here, because importing it takes longer than the output.
    """
    rows = []
    for lesson in lessons:
        record = state.of(lesson.slug)
        total = len(lesson.brief.sections)
        done = sum(number in record.passed for number in range(1, total + 1))
        word = "passed" if done == total else "not tried"
        bar = f"{done} of {total} steps"
        if done == total:
            bar += ", finished"
        if record.shown:
            bar += f", {len(record.shown)} shown"
        if any(record.verdicts.get(number) != "passed" for number in record.passed):
            # A pass counts forever, although the file may have gone back since.
            bar += f"; app.py is at step {record.current_step(total)}"
        rows.append(
            (
                f"{mark(word)} {lesson.number}",
                lesson.title,
                f"{lesson.minutes} min",
                bar,
            )
        )
    if not rows:
        print("There are no lessons here. Is this a complete clone?")  # noqa: T201 -- see above
        return
    width = max(len(row[1]) for row in rows)
    for number, title, minutes, progress in rows:
        print(f"{number}  {title:<{width}}  {minutes:>6}  {progress}")  # noqa: T201 -- see above
    print()  # noqa: T201 -- see above
    print("To continue:", command("learn"))  # noqa: T201 -- see above


def print_brief(lesson: Lesson, record: LessonRecord, *, edited: bool) -> None:
    """Print what the lesson is about, which steps passed, and the current step.

    *edited* says that the file has changed since its last verdict.
    """
    from rich.markdown import Markdown
    from rich.padding import Padding
    from rich.text import Text

    console = out()
    steps = lesson.steps
    current = record.current_step(len(steps))
    console.print(Text(f"Lesson {lesson.number} · {lesson.title}", "bold"))
    console.print(f"{lesson.minutes} minutes, {len(steps)} steps")
    console.print()
    console.print(Markdown(lesson.brief.scene))
    console.print()
    for step in steps:
        word = record.verdicts.get(step.number, "not tried")
        console.print(
            Text.assemble(
                (f"{mark(word)} ", colour(word)),
                f"Step {step.number} · {step.title}: ",
                (word, colour(word)),
                ", shown" if step.number in record.shown else "",
            ),
            soft_wrap=True,
        )
    if edited and record.verdicts:
        console.print("(app.py has changed since that verdict)")
    if not lesson.app_file.is_file():
        console.print(
            f"{short(lesson.app_file)} is missing. To restore the starter: "
            + command("reset", lesson.number),
            soft_wrap=True,
        )
    done = all(record.verdicts.get(step.number) == "passed" for step in steps)
    if not done:
        step = steps[current - 1]
        console.print()
        console.print(Text(f"Now: step {step.number} · {step.title}", "bold"))
        console.print(Padding(Markdown(step.text), (0, 0, 0, 4)))
    console.print()
    rows = [
        ("Explained", short(lesson.page)),
        ("Edit", short(lesson.app_file)),
        ("Try it out", command("run", lesson.number)),
        ("Then", command("test", lesson.number)),
        ("Stuck?", command("hint", lesson.number)),
    ]
    if lesson.scenario_file.is_file():
        rows.insert(4, ("Who waited?", command("timeline", lesson.number)))
    if done:
        rows = [
            ("Why it works", command("solution", lesson.number)),
            ("Explained", short(lesson.page)),
            ("To continue", command("learn")),
        ]
        rows += [("Repeat", again) for again in again_lines(lesson, record)]
    for name, text in rows:
        console.print(f"{name + ':':<14}{text}", soft_wrap=True)


def again_lines(lesson: Lesson, record: LessonRecord) -> list[str]:
    """Return a command for each shown step that repeats it."""
    return [
        command("catch-up", lesson.number, f"--step {number}")
        + f"   (step {number} was shown)"
        for number in sorted(record.shown)
    ]


def print_hint(hints: Hints, *, by_number: bool = False) -> None:
    """Print the last of the *hints* if it is new, or else all of them.

    *by_number* says that the user named the step, so commands name it too.
    """
    from rich.markdown import Markdown
    from rich.padding import Padding
    from rich.text import Text

    console = out()
    lesson, step, seen = hints.lesson, hints.step, hints.seen
    # After the last hint, all of them are shown, so that they can be read again.
    first = seen - 1 if hints.is_new else 0
    console.print(
        Text.assemble(
            (f"Step {step.number} · {step.title}", "bold"),
            f"   hint {seen} of {len(step.hints)}",
        )
    )
    for text in step.hints[first:seen]:
        # With addresses: not every terminal can open a link.
        console.print(Padding(Markdown(text, hyperlinks=False), (1, 0, 0, 4)))
    console.print()
    which = f"--step {step.number}" if by_number else ""
    if not hints.all_seen:
        console.print(f"The next hint: {command('hint', lesson.number, which)}")
    else:
        show = f"{which} --show".strip()
        console.print(
            "That was the last hint. To see the change for this step: "
            + command("hint", lesson.number, show),
            soft_wrap=True,
        )


def print_change(lesson: Lesson, step: Step, *, noted: bool) -> None:
    """Print why the solution of *step* works, and its change to the state before.

    *noted* says that the step is marked as shown.
    """
    from rich.markdown import Markdown
    from rich.text import Text

    console = out()
    console.print(
        Text.assemble(
            (f"Step {step.number} · {step.title}", "bold"), "   the solution's change"
        )
    )
    why = lesson.reason(step.number)
    if why:
        console.print()
        console.print(Markdown(why))
    console.print()
    before, after = lesson.state_file(step.number - 1), lesson.state_file(step.number)
    for line in difference(before, after, ("before", "after")):
        console.print(line, soft_wrap=True)
    console.print()
    console.print("Yours may look different: whatever passes the tests is right.")
    if noted:
        again = command("catch-up", lesson.number, f"--step {step.number}")
        console.print(
            f"The step is marked as shown. To repeat it later: {again}",
            soft_wrap=True,
        )


def print_solution(found: Comparison, *, reasons: bool = True) -> None:
    """Print the reasons for the solution, then the difference to the learner's file.

    The difference comes last, so that it is visible without scrolling. After it come
    the commands for the other steps; without *reasons*, for those of every step.
    """
    from rich.markdown import Markdown
    from rich.text import Text

    console = out()
    lesson, step = found.lesson, found.step
    title = f"step {step}: {lesson.steps[step - 1].title}" if step else "the solution"
    console.print(Text(f"Lesson {lesson.number} · {title}", "bold"))
    if found.why and reasons:
        console.print()
        console.print(Markdown(found.why, hyperlinks=False))
        console.print()
    console.print(f"From {short(found.mine)} to {short(found.solution)}:")
    console.print()
    for line in difference(found.mine, found.solution):
        console.print(line, soft_wrap=True)
    if reasons and not step:
        return
    console.print()
    if step:
        # After the last step, the first.
        rows = {"Another step": f"--step {step % len(lesson.steps) + 1}"}
    else:
        rows = {"Why a step works": "--step 1"}
    rows["Every step"] = "--all"
    for name, options in rows.items():
        then = command("solution", lesson.number, options)
        console.print(f"{name + ':':<18}{then}", soft_wrap=True)


def difference(
    before: Path, after: Path, names: tuple[str, str] = ("yours", "solution")
) -> list[Text]:
    """Return the coloured lines of the diff from *before* to *after*."""
    from rich.text import Text

    lines = list(
        difflib.unified_diff(
            _lines_of(before),
            _lines_of(after),
            *names,
            lineterm="",
            n=4,
        )
    )
    styles = {"+": "green", "-": "red", "@": "cyan"}
    return [Text(line, styles.get(line[:1], "")) for line in lines[2:]] or [
        Text("There is no difference.")
    ]


def _lines_of(file: Path) -> list[str]:
    """Return the lines of *file*, with control codes shown as escapes."""
    text = file.read_text(encoding="utf-8", errors="replace")
    return [visible(line) for line in text.removesuffix("\n").split("\n")]


def short(path: Path) -> str:
    """Return *path* relative to the current folder if possible, so it is clickable."""
    try:
        return plain_line(os.fspath(path.resolve().relative_to(Path.cwd())))
    except ValueError:
        return plain_line(os.fspath(path))
