"""The texts shown beside the verdict: hints, solution, brief, page."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from workshop.actions.results import Comparison, Hints
from workshop.lesson import Lesson, Step
from workshop.lesson.text import Prediction
from workshop.screen.pages import difference, short
from workshop.screen.watch.keys import KEYS, OTHERS
from workshop.timeline import Timeline, TimelineText

_DETAILS = re.compile(
    r"<details.*?<summary>(?P<what>.*?)</summary>.*?</details>", re.DOTALL
)
_NOT_HERE = " (Press CTRL+C to quit)"
_IMAGE = re.compile(r"!\[(?P<what>[^\]]*)\]\([^)]*\)")
_FENCE = re.compile(r"^( *```).*$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def prose(text: str, *, addresses: bool = False) -> Markdown:
    """Return Markdown that is readable on any terminal, dark or light.

    Code has no colours, because colours for one background vanish on the other.
    With *addresses*, links show theirs, because not every terminal can open a link.
    """
    plain = _FENCE.sub(r"\1", text)
    return Markdown(plain, code_theme="ansi_dark", hyperlinks=not addresses)


def brief(lesson: Lesson, step: Step) -> RenderableType:
    """Return what customers see, and what *step* asks for."""
    return Group(
        Text(f"Step {step.number} · {step.title}", "bold"),
        Padding(prose(step.text), (0, 0, 1, 2)),
        Text("The scene", "bold"),
        Padding(prose(lesson.brief.scene), (0, 0, 1, 2)),
        _where(("Edit", short(lesson.app_file)), ("Explained", short(lesson.page))),
    )


def question(prediction: Prediction) -> RenderableType:
    """Return what the lesson's page asks before the first run."""
    return Group(
        Text("Before you run anything", "bold"),
        Padding(prose(_for_terminal(prediction.question)), (0, 0, 1, 2)),
        Text.assemble("Choose, then ", ("p", "bold"), " shows the answer."),
    )


def answer(prediction: Prediction) -> RenderableType:
    """Return the answer to the prediction, with the question below it."""
    return Group(
        Text("The answer", "bold"),
        Padding(prose(_for_terminal(prediction.answer)), (0, 0, 1, 2)),
        Text("The question", "bold"),
        Padding(prose(_for_terminal(prediction.question)), (0, 0, 1, 2)),
    )


def hints(found: Hints) -> RenderableType:
    """Return the hints that the learner has seen.

    The solution's change follows the last one, if it has been shown.
    """
    step = found.step
    parts: list[RenderableType] = [
        Text(f"Step {step.number} · {step.title}", "bold"),
        Text(),
    ]
    for number, text in enumerate(step.hints[: found.seen], 1):
        parts.append(Text(f"Hint {number} of {len(step.hints)}", "bold"))
        parts.append(Padding(prose(text, addresses=True), (0, 0, 1, 2)))
    if not found.all_seen:
        parts.append(Text.assemble(("h", "bold"), " shows the next hint."))
    elif found.change_is_shown:
        lesson = found.lesson
        parts.append(Text("The change for this step", "bold"))
        before, after = (lesson.state_file(step.number + n) for n in (-1, 0))
        parts += difference(before, after, ("before", "after"))
        parts += [Text(), prose(lesson.reason(step.number))]
    else:
        parts.append(
            Text.assemble(
                "That was the last hint. ",
                ("h", "bold"),
                " again shows the change for this step.",
            )
        )
    return Group(*parts)


def solution(found: Comparison) -> RenderableType:
    """Return the diff from the learner's file to the solution, and its reasons."""
    why = found.why.partition("\n")[2]  # its title is that of the page
    parts: list[RenderableType] = []
    if found.mine.is_file():
        parts.append(Text(f"From {short(found.mine)} to {short(found.solution)}:"))
        parts.append(Text())
        parts += difference(found.mine, found.solution)
        parts.append(Text())
    parts.append(prose(why))
    return Group(*parts)


def page(lesson: Lesson) -> RenderableType:
    """Return the lesson's page for the terminal.

    Folded sections stay folded, and so does the answer to the prediction.
    """
    try:
        text = lesson.page.read_text(encoding="utf-8")
    except OSError as problem:
        return Text(f"The page cannot be read: {problem}.")
    text = _for_terminal(text.partition("\n## For the instructor")[0])
    if lesson.prediction is not None:
        # It is the first of the page.
        text = _DETAILS.sub("*(p shows the question again, then its answer)*", text, 1)
    folded = f"*(\\g<what>: folded away, in {short(lesson.page)})*"
    return prose(_COMMENT.sub("", _DETAILS.sub(folded, text)))


def _for_terminal(text: str) -> str:
    """Return Markdown without pictures, which a terminal cannot show."""
    return _IMAGE.sub(r"*(A picture: \g<what>)*", text)


def key_table() -> RenderableType:
    """Return all keys with a sentence each."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    table.add_column()
    for key in KEYS:
        table.add_row(key.letter, key.word, key.sentence)
    rest = Table.grid(padding=(0, 2))
    rest.add_column(style="bold", no_wrap=True)
    rest.add_column()
    for name, sentence in OTHERS:
        rest.add_row(name, sentence)
    return Group(
        table,
        Text(),
        rest,
        Text(),
        Text("All keys work while the tests run. Saving the file checks it."),
    )


def served(address: str, log: Sequence[str]) -> RenderableType:
    """Return the app's *address*, if it accepts connections, and its server's log."""
    return Group(
        Text.assemble(("Open ", "bold"), f"{address}/docs")
        if address
        else Text("The app does not accept connections yet."),
        Text("It reloads when you save. a stops it."),
        Text(),
        *(Text.from_ansi(line.removesuffix(_NOT_HERE)) for line in log),
    )


def timeline(
    recorded: Timeline, title: str, number: int, scenes: int
) -> RenderableType:
    """Return the recording of a scene: number *number* of *scenes*."""
    more = " t shows the next." if scenes > 1 else ""
    return Group(
        TimelineText([("", recorded)], title=title),
        Text(),
        Text(f"Scene {number} of {scenes}, with your file.{more}"),
        Text("A save records it again."),
        Text("How to read it: docs/reference/reading_timelines.md"),
    )


def _where(*rows: tuple[str, str]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(name, text)
    return table
