"""Nothing on a lesson's page is typed by hand: code is quoted, output is run.

A page's fenced blocks say in their title where they come from:

- ```` ```python title="solutions/00_x/app.py" ```` must stand in that file,
  line for line;
- ```` ```text title="make lesson-00 test" ```` must be what grading the
  starter prints today.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workshop.check.texts import Finding
from workshop.lesson import Lesson

_BLOCK = re.compile(
    r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?[^\n]*\n(?P<body>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)
_SECONDS = re.compile(r"\b\d+\.\d s\b")
_TYPED_LINES = 3
"""Longer Python blocks have to come from a file."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its title ("" if none), its text."""

    language: str
    title: str
    body: str


def read_blocks(page: str) -> list[Block]:
    """Return the fenced blocks of *page*, in order."""
    return [
        Block(match["language"], match["title"] or "", match["body"])
        for match in _BLOCK.finditer(page)
    ]


def check_page(
    lesson: Lesson, root: Path, outputs: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield what on the page of *lesson* is not from a file or a run.

    *outputs* holds what each command prints today, by the command.
    """
    path = lesson.page
    for block in read_blocks(path.read_text(encoding="utf-8")):
        problem = _problem_of(block, root, outputs)
        if problem:
            yield Finding(lesson.slug, "page", f"{path.name}: {problem}")


def fill_page(page: str, outputs: Mapping[str, str]) -> str:
    """Return *page* with the output of each command put in its place."""

    def fill(match: re.Match[str]) -> str:
        output = outputs.get(match["title"] or "")
        if match["language"] != "text" or output is None:
            return match[0]
        if _SECONDS.sub("", match["body"]) == _SECONDS.sub("", output):
            return match[0]
        head = match[0].partition("\n")[0]
        return f"{head}\n{output}```"

    return _BLOCK.sub(fill, page)


def _problem_of(block: Block, root: Path, outputs: Mapping[str, str]) -> str:
    first = block.body.strip().partition("\n")[0]
    if block.language == "python":
        if not block.title:
            if len(block.body.splitlines()) > _TYPED_LINES:
                return f"the code that begins {first!r} does not say its file"
            return ""
        source = root / block.title
        if not source.is_file():
            return f"there is no file {block.title}"
        if block.body.strip("\n") not in source.read_text(encoding="utf-8"):
            return f"the code that begins {first!r} is not in {block.title} any more"
    if block.language == "text" and block.title:
        if block.title not in outputs:
            return f"nobody knows what {block.title!r} prints"
        if _SECONDS.sub("", block.body) != _SECONDS.sub("", outputs[block.title]):
            return (
                f"what {block.title!r} prints has changed; "
                "`python -m workshop pages` renews it"
            )
    return ""
