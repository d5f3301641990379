"""Render the state of watch mode: the verdict and the lines around it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from workshop.grading import LessonVerdict, StepVerdict, TestVerdict, Verdict
from workshop.lesson import Lesson
from workshop.progress import State
from workshop.screen.console import colour, mark
from workshop.screen.failure import FailingStep
from workshop.screen.pages import short
from workshop.screen.report import BROKEN, common_error, said_by_app
from workshop.screen.watch.keys import Key
from workshop.screen.watch.state import WatchState
from workshop.screen.watch.texts import prose


def style(verdict: str) -> str:
    """Return the style of *verdict*, never dim, which projectors do not show."""
    return "" if colour(verdict) == "dim" else f"bold {colour(verdict)}"


def two_sides(left: Text, right: Text) -> Table:
    """Return a line with *left* at its left end and *right* at its right end."""
    line = Table.grid(expand=True, padding=0)
    line.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    line.add_column(no_wrap=True, justify="right")
    line.add_row(left, right)
    return line


def title(now: WatchState, room: str = "") -> Table:
    """Return the first line: the lesson, the *room*, and that its file is watched."""
    lesson = now.lesson
    watching = "polling" if now.polling else "watching" if now.watched else "starting"
    states = " · ".join(state for state in (room, watching) if state)
    return two_sides(
        Text(f"Lesson {lesson.number} · {lesson.title}"), Text(f" {states}")
    )


def steps(now: WatchState, passed: Sequence[int], *, tall: bool) -> list[Text]:
    """Return a mark and a word for each step, with titles if there is room.

    Before the first verdict, the *passed* steps of earlier sessions are shown.
    """
    current = now.verdict.current if now.verdict else None
    judged = now.verdict.steps if now.verdict else ()
    known = {step.number: str(step.verdict) for step in judged}
    if now.step is not None:
        known[now.step.number] = str(now.step.verdict)
    found = []
    for step in now.lesson.steps:
        unknown = "passed" if step.number in passed else "not tried"
        word = known.get(step.number, unknown)
        here = current is not None and current.number == step.number
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{mark(word)} {step.number} ", style(word))
        text.append(f"{word:<9}" if tall else word, style(word))
        if tall:
            text.append(f" {step.title}", "bold" if here else "")
        if here:
            text.append(" ◂" if mark("passed") == "✓" else " <", "bold")
        found.append(text)
    return found


def status(now: WatchState) -> Text:
    """Return the line with the current status."""
    verdict = now.verdict
    if now.running:
        what = f"test {now.test} of {now.tests}" if now.test else "starting the tests"
        text = Text.assemble(("… Checking: ", "bold"), what)
        if now.step is not None:
            text.append(f". Step {now.step.number}: {now.step.verdict}.")
        elif now.stale:
            text.append(". Until then, the last verdict stays.")
        return text
    if now.missing is not None:
        return Text.assemble(
            (f"{mark('error')} Missing: ", style("error")), short(now.missing)
        )
    if verdict is None:
        if now.trouble:
            return Text(f"{mark('error')} The tests are not running. r tries again.")
        return Text(now.ended or "… Starting the tests")
    if verdict.passed:
        text = Text.assemble(
            (f"{mark('passed')} Passed: ", style("passed")),
            f"all {len(verdict.steps)} steps, in {verdict.seconds:.1f} s.",
        )
    else:
        word = str(verdict.verdict)
        done = sum(step.verdict is Verdict.PASSED for step in verdict.steps)
        text = Text.assemble(
            (f"{mark(word)} {word.capitalize()}: ", style(word)),
            f"{done} of {len(verdict.steps)} steps passed, in {verdict.seconds:.1f} s.",
        )
    if now.ended:
        text = Text(f"{now.ended} The last verdict stays.")
    return text


def notes(now: WatchState) -> Text:
    """Return important notes, one sentence per line; often none."""
    lines = []
    if now.missing is not None:
        lines.append(
            f"{mark('error')} {short(now.missing)} no longer exists. Save it "
            "again, or press x for the starter; u undoes a reset."
        )
    if now.trouble:
        lines.append(f"{mark('error')} {now.trouble}")
    if now.verdict is not None and now.verdict.note_on_tests:
        lines.append(f"{mark('error')} {now.verdict.note_on_tests}")
    if now.polling:
        lines.append(f"{mark('not tried')} Watching by polling. {now.polling}")
    if not now.running:
        if now.gained:
            lines.append(f"{mark('passed')} {named(now.gained)} passed.")
        if now.lost:
            lines.append(
                f"{mark('failed')} {named(now.lost)} passed before, but no longer."
            )
    return Text("\n".join(lines))


def named(steps: Sequence[int]) -> str:
    """Return *steps* in words: `Step 2`, `Steps 1, 2 and 4`."""
    *first, last = (str(number) for number in steps)
    return f"Steps {', '.join(first)} and {last}" if first else f"Step {last}"


def bar(done: int, total: int, width: int) -> Text:
    """Return a bar of *width* cells, filled in proportion to *done* of *total*.

    It is full only if all is done, and empty only if nothing is.
    """
    filled = round(width * done / total) if total else 0
    if 0 < done < total:
        filled = min(max(filled, 1), width - 1)
    full, empty = ("█", "░") if mark("passed") == "✓" else ("#", "-")
    return Text.assemble((full * filled, "green"), empty * (width - filled))


def bars(now: WatchState, lessons: Sequence[Lesson], state: State, width: int) -> Text:
    """Return the progress in the lesson and in the course, on one line."""
    record = state.of(now.lesson.slug)
    total = len(now.lesson.brief.sections)
    if now.verdict is not None:
        done = sum(step.verdict is Verdict.PASSED for step in now.verdict.steps)
    else:
        done = sum(number in record.passed for number in range(1, total + 1))
    finished = sum(
        state.of(lesson.slug).is_finished(len(lesson.brief.sections))
        for lesson in lessons
    )
    said = (f" {done} of {total} steps", f" {finished} of {len(lessons)} lessons")
    room = width - sum(map(len, said)) - len("Lesson ") - len("Course ") - 3
    each = max(4, min(24, room // 2))
    return Text.assemble(
        ("Lesson ", "bold"),
        bar(done, total, each),
        said[0] + "   ",
        ("Course ", "bold"),
        bar(finished, len(lessons), each),
        said[1],
    )


def key_caps(keys: Sequence[Key]) -> list[Text]:
    """Return the keys for the last lines of the screen."""
    return [
        Text.assemble((f" {key.letter} ", "reverse bold"), f" {key.word}")
        for key in keys
    ]


def flow(items: Sequence[Text], width: int, between: str = "  ") -> Text:
    """Return *items* side by side, on as many lines as *width* requires."""
    lines: list[Text] = []
    for item in items:
        if lines and lines[-1].cell_len + len(between) + item.cell_len <= width:
            lines[-1].append(between).append_text(item)
        else:
            lines.append(item.copy())
    return Text("\n", no_wrap=True).join(lines)


def heading(step: StepVerdict) -> Text:
    """Return the line above the report on *step*."""
    word = str(step.verdict)
    return Text.assemble(
        (f"{mark(word)} Step {step.number} · {step.title}: ", "bold"),
        (word, style(word)),
    )


def report_on_step(lesson: Lesson, step: StepVerdict) -> RenderableType:
    """Return the report on *step*, which has not passed, while the others run."""
    verdict = LessonVerdict(lesson, (step,), 0.0)
    return Group(heading(step), FailingStep(step, verdict, indent=2))


def report(verdict: LessonVerdict) -> RenderableType:
    """Return the report on a file that has not passed."""
    parts: list[RenderableType] = []
    common = common_error(verdict)
    if common is not None:
        parts.append(_common(common))
    else:
        current = verdict.current
        for step in verdict.steps:
            if step is current or step.verdict in BROKEN:
                parts.append(heading(step))
                parts.append(FailingStep(step, verdict, indent=2))
                parts.append(Text())
    if verdict.output.strip():
        parts.append(Text("Printed outside the tests", "bold"))
        parts.append(Padding(said_by_app(verdict.output, verdict), (0, 0, 0, 2)))
    return Group(*parts)


def _common(test: TestVerdict) -> RenderableType:
    word = str(test.verdict)
    parts: list[RenderableType] = [
        Text.assemble(
            (f"{mark(word)} No test could run: ", "bold"), (word, style(word))
        ),
        Text(),
        Padding(Text(test.seen), (0, 0, 0, 2)),
    ]
    if test.line:
        line = Text.assemble(("Your line ", "bold"), test.line)
        parts.append(Padding(line, (0, 0, 0, 2)))
    return Group(*parts)


def congratulation(
    verdict: LessonVerdict, then: Lesson | None, again: Sequence[str]
) -> RenderableType:
    """Return the report on a file that has passed.

    *then* is the next lesson, None if every lesson is finished. *again* has commands
    for repeating the steps that were shown.
    """
    lesson = verdict.lesson
    kept = "\n".join(f"- {point}" for point in lesson.key_points)
    parts: list[RenderableType] = [
        Text(
            f"{mark('passed')} Lesson {lesson.number} · {lesson.title}: passed",
            "bold green",
        ),
        Text("Well done. Every test passed."),
        Text(),
    ]
    if kept:
        parts.append(Text("To keep:", "bold"))
        parts.append(Padding(prose(kept), (0, 0, 0, 1)))
        parts.append(Text())
    if then is None:
        parts.append(Text("You have finished every lesson. Congratulations!", "bold"))
    else:
        parts.append(
            Text.assemble(
                ("n", "bold"), f" goes to lesson {then.number} · {then.title}."
            )
        )
    parts.append(
        Text.assemble(("s", "bold"), " shows the solution, and when not to use it."),
    )
    parts += [Text(f"To repeat: {how}") for how in again]
    return Group(*parts)
