"""A hook of MkDocs: search finds lessons before notebooks and the reference.

Search counts a word in a heading a thousand times, so the name of a function would
come before each lesson that explains what it does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.structure.pages import Page

_LESSON = 30
_GENERATED = 0.01
_MARKER = re.compile(r"^<!-- /\w+ -->$", re.MULTILINE)
"""The end of a part that `python -m workshop pages` generates."""


def boost(path: str, markdown: str) -> float:
    """Return the weight in search of the page at *path*, a path in docs/.

    >>> boost("lessons/02_lifespan.md", "# 02 · Lifespan")
    30
    """
    folder = path.partition("/")[0]
    if folder == "lessons":
        return _LESSON
    if folder == "notebooks" or (folder == "reference" and _MARKER.search(markdown)):
        return _GENERATED
    return 1


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> None:
    """Weigh *page*, unless its front matter does; MkDocs calls this."""
    page.meta.setdefault("search", {"boost": boost(page.file.src_uri, markdown)})
