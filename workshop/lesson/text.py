"""Read the parts of a lesson's Markdown that the tool needs.

Plain functions from text to data. The Markdown stays ordinary, so that it reads well on
a code host; only its headings carry meaning here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TITLE = re.compile(
    r"^# +(?:(?:Hints|Solution) +· +)?(?P<number>\d\d) +· +(?P<title>.+)$"
)
_STEP = re.compile(r"^## +Step +(?P<number>\d+) +· +(?P<title>.+)$")
_OTHER_HEADING = re.compile(r"^##? ")
_MINUTES = re.compile(r"\b(?P<minutes>\d+) minutes\b")
_HINT = re.compile(r"^\d+\. +")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_GOAL = re.compile(r"^\*\*Goal\.\*\*\s+You can (.+?)\.\s*\n\s*\n", re.M | re.S)
_WRAP_UP = re.compile(r"^## +Wrap-up\b")
_PREDICT = re.compile(r"^## +Predict\b.*?\n(.*?)(?=^## |\Z)", re.M | re.S)
_DETAILS = re.compile(r"<details\b[^>]*>\s*<summary>.*?</summary>(.*?)</details>", re.S)
_ITEM = re.compile(r"^(?:\d+\.|[-*]) +")


@dataclass(frozen=True)
class Section:
    """The text below one `## Step n · title` heading."""

    number: int
    title: str
    body: str


@dataclass(frozen=True)
class Prediction:
    """What a lesson's page asks before the first run, and the answer it folds away."""

    question: str
    answer: str


@dataclass(frozen=True)
class Brief:
    """The content of a lesson's README.

    `title` is without the number, `minutes` is None if the README does not have them,
    `scene` is the text between the first lines and the first step.
    """

    number: str
    title: str
    minutes: int | None
    scene: str
    sections: tuple[Section, ...]


def read_brief(text: str) -> Brief:
    """Return the brief in a README's *text*.

    Raises:
        ValueError: The title does not have the form `# 01 · Title`.
    """
    number, title, body = _split_title(text)
    lead, sections = _split_sections(body)
    minutes = None
    scene = []
    for line in lead.splitlines():
        said = _MINUTES.search(line)
        if said and minutes is None:
            minutes = int(said["minutes"])
        else:
            scene.append(line)
    return Brief(number, title, minutes, "\n".join(scene).strip(), sections)


def read_sections(text: str) -> tuple[Section, ...]:
    """Return the step sections of a hints file's *text*, in file order.

    Raises:
        ValueError: As in `read_brief`.
    """
    _, _, body = _split_title(text)
    return _split_sections(body)[1]


def read_hints(body: str) -> tuple[str, ...]:
    """Return the items of the ordered list in *body*, one text per hint."""
    hints: list[list[str]] = []
    for line in body.splitlines():
        if _HINT.match(line):
            hints.append([_HINT.sub("", line)])
        elif hints:
            hints[-1].append(line.strip())
    return tuple("\n".join(hint).strip() for hint in hints)


def read_goal(solution: str) -> str:
    """Return what a learner can do after the lesson: `tell which code blocks it`.

    It is the sentence below `**Goal.**`, without "You can" and the full stop; empty if
    there is no such sentence.
    """
    found = _GOAL.search(solution)
    return " ".join(found[1].split()) if found else ""


def read_key_points(page: str) -> tuple[str, ...]:
    """Return the key points of a lesson: the first list of its page's wrap-up.

    Empty if the page has no such section or the section no list.
    """
    points: list[list[str]] = []
    inside = False
    for line in page.splitlines():
        if _WRAP_UP.match(line):
            inside = True
        elif not inside:
            continue
        elif _ITEM.match(line):
            points.append([_ITEM.sub("", line)])
        elif points and line.startswith(" ") and line.strip():
            points[-1].append(line.strip())
        elif points or _OTHER_HEADING.match(line):
            break
    return tuple(" ".join(point) for point in points)


def read_prediction(page: str) -> Prediction | None:
    """Return the question below `## Predict`; None if there is none with an answer."""
    section = _PREDICT.search(page)
    folded = _DETAILS.search(section[1]) if section else None
    if section is None or folded is None:
        return None
    question = section[1].replace(folded[0], "")
    return Prediction(question.strip(), folded[1].strip())


def _split_title(text: str) -> tuple[str, str, str]:
    first, _, rest = text.lstrip("\ufeff\n").partition("\n")
    match = _TITLE.match(first.strip())
    if match is None:
        raise ValueError(
            f"its first line is {first.strip()!r}, and should read like "
            "'# 01 · Database session lifecycle'"
        )
    return match["number"], match["title"].strip(), rest


def _split_sections(body: str) -> tuple[str, tuple[Section, ...]]:
    lead: list[str] = []
    found: list[tuple[int, str, list[str]]] = []
    target: list[str] | None = lead
    fenced = False
    for line in body.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        step = None if fenced else _STEP.match(line)
        if step:
            found.append((int(step["number"]), step["title"].strip(), []))
            target = found[-1][2]
        elif not fenced and _OTHER_HEADING.match(line):
            target = None  # a closing section belongs to no step
        elif target is not None:
            target.append(line)
    sections = tuple(
        Section(number, title, "\n".join(lines).strip())
        for number, title, lines in found
    )
    return "\n".join(lead), sections
