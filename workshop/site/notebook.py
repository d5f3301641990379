"""Show a notebook as a page: its text, its code and its outputs.

The notebook is read as JSON, so no package is needed, and written as Markdown with the
same code blocks as every other page, without styles or scripts from elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workshop.site.picture import inline, timeline_figure, without_repeats
from workshop.timeline import Timeline
from workshop.timeline.recording import JSON

HIDDEN = "hide"
"""The tag of cells that are not shown."""

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_SVG = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)\s:]+)\)")


class NotebookError(ValueError):
    """The file is not a notebook that can be shown. The message says why."""


def notebook_page(path: Path) -> str:
    """Return the page that shows the notebook at *path*.

    Raises:
        NotebookError: It cannot be read, has no title, or has a cell without output.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        parts = [part for it in _numbered(cells) for part in _cell(path.stem, *it)]
    except (KeyError, OSError, TypeError, ValueError) as problem:
        raise NotebookError(f"{path.name} cannot be shown: {problem}") from None
    text = "\n\n".join(part.strip("\n") for part in parts)
    text = without_repeats(text, set())
    if not text.startswith("# "):
        raise NotebookError(f"{path.name} does not begin with a title (# …).")
    # The comment comes last, because MkDocs takes the title from the first line.
    return (
        f"{text}\n\n"
        f"<!-- Made from notebooks/{path.name} by `python -m workshop pages`. -->\n"
    )


def title_of(page: str) -> str:
    """Return the title of a notebook's *page*."""
    return re.search(r"^# (.+)$", page, re.MULTILINE)[1]  # type: ignore[index]


def _numbered(cells: list[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, cell in enumerate(cells, 1):
        if HIDDEN not in cell.get("metadata", {}).get("tags", []):
            yield number, cell


def _cell(name: str, number: int, cell: dict[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if not source.strip():
        return
    if cell["cell_type"] == "markdown":
        yield _LINK.sub(_relink, source)
    elif cell["cell_type"] == "code":
        if cell.get("execution_count") is None:
            first = source.strip().partition("\n")[0]
            raise ValueError(f"its cell {first!r} was not run")
        yield _fenced(source, "python")
        for index, output in enumerate(cell["outputs"], 1):
            yield from _output(output, f"{name}-{number}-{index}")


def _output(output: dict[str, Any], name: str) -> Iterator[str]:
    data = output.get("data", {})
    drawing = "".join(data.get("image/svg+xml", "")) or "".join(
        _SVG.findall("".join(data.get("text/html", "")))
    )
    if JSON in data:
        # The timeline is drawn for phones too, unlike in the notebook itself.
        timeline, title = Timeline.from_json(data[JSON]), data[JSON]["title"]
        yield timeline_figure(timeline, title, name)
    elif drawing:
        svg = inline(drawing, name)
        yield f'<figure class="loop"><div data-search-exclude>{svg}</div></figure>'
    elif output["output_type"] == "stream":
        yield _fenced(_plain(output["text"]), "text", ".printed")
    elif output["output_type"] == "error":
        yield _fenced(f"{output['ename']}: {output['evalue']}", "text", ".printed")
    elif "text/markdown" in data:
        yield "".join(data["text/markdown"])
    elif "text/plain" in data:
        yield _fenced(_plain(data["text/plain"]), "text", ".printed")


def _plain(text: str | list[str]) -> str:
    return _ANSI.sub("", "".join(text))


def _fenced(text: str, language: str, kind: str = "") -> str:
    longest = max((len(it) for it in re.findall(r"`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    info = f"{{.{language} {kind}}}" if kind else language
    return f"{ticks}{info}\n{text.strip(chr(10))}\n{ticks}"


def _relink(match: re.Match[str]) -> str:
    """Make a link that works in notebooks/ work in docs/notebooks/."""
    target = match["target"]
    if target.startswith("../docs/"):
        return f"[{match['text']}](../{target.removeprefix('../docs/')})"
    if "/" not in target and target.endswith(".ipynb"):
        return f"[{match['text']}]({target.removesuffix('.ipynb')}.md)"
    if target.startswith("#"):
        return match[0]
    # Files outside docs/ are in the repository, but not on the site.
    return match["text"]
