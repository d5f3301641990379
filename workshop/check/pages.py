"""Check that pages quote their code and outputs instead of containing typed copies.

A page's fenced blocks name their source:

- ```` ```python from="solutions/00_x/app.py::report" ```` must be that function as it
  is in the file today, or the part of it that `lines` selects.
- ```` ```text title="make lesson-00 test" ```` must be what grading the starter prints
  today.
- Commands to type (`console`, `sh`), drawings (`text` without a title) and blocks of up
  to three lines have no source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from workshop.check.finding import Finding
from workshop.site.fence import Fence, read_fences, replace_fences
from workshop.site.quote import QuoteError, highlighted, quote

_SECONDS = re.compile(r"\b\d+\.\d s\b")
_TYPED_LINES = 3
_TYPED = ("console", "sh", "bash", "powershell", "text")
"""Languages of blocks that are typed or drawn, so that they have no source file."""


class PageError(ValueError):
    """A page cannot be read or generated. The message says which page and why."""


def read_page(path: Path) -> str:
    """Return the text of the page at *path*.

    Raises:
        PageError: It cannot be read.

    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise PageError(f"{path.name} cannot be read: {problem}") from None


def pages_below(root: Path) -> list[Path]:
    """Return the texts that the site shows, except pages made from notebooks."""
    docs = root / "docs"
    made = docs / "notebooks"
    found = [it for it in docs.rglob("*.md") if it.parent != made]
    contributing = root / "CONTRIBUTING.md"  # the site shows it too
    return sorted(found) + [contributing] * contributing.is_file()


def check_page(
    path: Path, root: Path, outputs: Mapping[str, str] | None
) -> Iterator[Finding]:
    """Yield a finding for each block on the page at *path* that is wrong or sourceless.

    *outputs* has the current output of each command. If it is None, outputs on the
    page are not checked.
    """
    try:
        text = read_page(path)
    except PageError as unreadable:
        yield Finding(path.stem, "page", str(unreadable))
        return
    for fence in read_fences(text):
        granted = {fence.title: fence.body} if outputs is None else outputs
        problem = _problem_of(fence, root, granted)
        if problem:
            yield Finding(path.stem, "page", f"{path.name}: {problem}")


def fill_page(page: str, root: Path, outputs: Mapping[str, str]) -> str:
    """Return *page* with quotes and outputs updated.

    A quote whose source no longer exists is left as it is; the check reports it.
    """

    def renewed(fence: Fence) -> str:
        try:
            body = _body_today(fence, root, outputs)
        except QuoteError:
            return fence.text
        if body is None or _same(fence.body, body):
            return fence.text
        return replace(fence, body=body).text

    return replace_fences(page, renewed)


def _body_today(fence: Fence, root: Path, outputs: Mapping[str, str]) -> str | None:
    """Return the current content of the block; None if it has no source."""
    if fence.source:
        return quote(root, fence.source, fence.options.get("lines", ""))
    if fence.language == "text" and fence.title:
        return outputs.get(fence.title)
    return None


def _problem_of(fence: Fence, root: Path, outputs: Mapping[str, str]) -> str:
    first = fence.body.strip().partition("\n")[0]
    try:
        today = _body_today(fence, root, outputs)
        if fence.source and "hl" in fence.options:
            highlighted(fence.body, fence.options["hl"])
    except QuoteError as problem:
        return f"the code that begins {first!r}: {problem}"
    if today is not None:
        if _same(fence.body, today):
            return ""
        made = fence.source or fence.title
        return f"{made!r} is out of date on the page; run `python -m workshop pages`"
    if fence.language == "text" and fence.title:
        return f"no known command prints {fence.title!r}"
    typed = fence.language in _TYPED or len(fence.body.splitlines()) <= _TYPED_LINES
    return "" if typed else f"the code that begins {first!r} does not name its file"


def _same(body: str, today: str) -> bool:
    return _SECONDS.sub("", body) == _SECONDS.sub("", today)
