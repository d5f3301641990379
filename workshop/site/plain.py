"""The pages as plain text beside the site, for programs that read it.

`llms.txt` lists them; each page `x.html` has its Markdown as `x.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

_TITLE = re.compile(r"^# (.+?)(?: \{.*\})?$", re.MULTILINE)
_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_INCLUDED = re.compile(r'^--8<-- "(.+)"$', re.MULTILINE)
_FIGURE = re.compile(
    r'<figure class="loop">.*?<title[^>]*>(.*?)</title>(?:.*?<desc[^>]*>(.*?)</desc>)?'
    r".*?</figure>"
)
_MARKS = re.compile(r" *\{ \.[^}]*\}|^<!--.*-->\n", re.MULTILINE)


def write_plain_texts(root: Path, site: Path, name: str, pitch: str) -> None:
    """Write the pages of the checkout *root* into the built *site*."""
    lines = [f"# {name}", "", f"> {pitch}", ""]
    folder = ""
    for page in _in_order(root / "docs"):
        text = _plain(page, root)
        path = page.relative_to(root / "docs")
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text, encoding="utf-8", newline="\n")
        part = path.parts[0] if len(path.parts) > 1 else ""
        if part != folder:
            lines += ["", f"## {part.capitalize()}", ""]
            folder = part
        title = _TITLE.search(text)
        lines.append(f"- [{title[1] if title else path.stem}]({path.as_posix()})")
    (site / "llms.txt").write_text("\n".join(lines) + "\n", "utf-8", newline="\n")


def _in_order(docs: Path) -> Iterator[Path]:
    """Yield the pages in the order of the menu: a folder's index first."""
    yield from sorted(
        docs.rglob("*.md"),
        key=lambda it: (
            len(it.relative_to(docs).parts) > 1,
            it.parent,
            it.name != "index.md",
            it.name,
        ),
    )


def _plain(page: Path, root: Path) -> str:
    text = _FRONT.sub("", page.read_text(encoding="utf-8")).lstrip()
    text = _INCLUDED.sub(lambda it: (root / it[1]).read_text(encoding="utf-8"), text)
    return _MARKS.sub("", _FIGURE.sub(_described, text))


def _described(figure: re.Match[str]) -> str:
    """Return a picture's text alternative."""
    title, words = (unescape(it or "") for it in figure.groups())
    return f"Picture: {title}. {words}".strip()
