"""The Markdown extension of the site, for every builder that uses Python-Markdown.

- Blocks with `from="…"` must match that file, or the build stops; `hl="…"` highlights
  lines by their text.
- Commands for make stand in a tab beside those for Windows.
- Images in `pictures/` that end in `.svg` become figures inside the page.
- A list of `[ ]` is a list of boxes.
- The section "For the instructor" can be folded, and the glossary's terms are explained
  where a page first uses them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor

from workshop.paths import ROOT
from workshop.site.fence import Fence, replace_fences
from workshop.site.glossary import abbreviations
from workshop.site.picture import figure, is_drawn, without_repeats
from workshop.site.quote import QuoteError, highlighted, quote
from workshop.site.windows_commands import has_make, tabs

FOR_INSTRUCTORS = "For the instructor"
_BOX = "[ ] "
_PROMPT = re.compile(r"^[$>] ", re.MULTILINE)
# The starter, as published: where a reader finds it is the file to edit.
_STARTER = re.compile(r"^solutions/(\w+)/steps/0\.py$")
_DETAILS = re.compile(r"^<details(?! markdown)", re.MULTILINE)


class SiteExtension(Extension):
    """The Markdown extension. Its option `root` is the checkout."""

    def __init__(self, **options: Any) -> None:
        self.config = {"root": [str(ROOT), "The folder that quotes are relative to."]}
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 -- its name there
        """Register the processors with *md*."""
        root = Path(self.getConfig("root"))
        # After texts are included (32), before fences are parsed (25).
        md.preprocessors.register(_Blocks(md, root), "workshop-blocks", 28)
        # Inline Markdown runs at 20, headings get their ids at 5, and MkDocs processes
        # links and images at 0.
        md.treeprocessors.register(_Pictures(md, root), "workshop-pictures", 15)
        md.treeprocessors.register(_Boxes(md), "workshop-boxes", 15)
        md.treeprocessors.register(_Sections(md), "workshop-sections", 3)
        md.treeprocessors.register(_FirstUses(md), "workshop-first-uses", 2)


def makeExtension(**options: Any) -> SiteExtension:  # noqa: N802 -- looked for by name
    """Return the extension; Python-Markdown calls this."""
    return SiteExtension(**options)


class _Blocks(Preprocessor):
    """Check quotes, find the lines to highlight, add the glossary's terms."""

    def __init__(self, md: Markdown, root: Path) -> None:
        super().__init__(md)
        self.root = root

    def run(self, lines: list[str]) -> list[str]:
        page = replace_fences("\n".join(lines), self.show)
        page = _DETAILS.sub('<details markdown="1"', page)
        glossary = self.root / "docs" / "reference" / "glossary.md"
        if glossary.is_file():
            page += "\n\n" + abbreviations(glossary.read_text(encoding="utf-8"))
        return page.split("\n")

    def show(self, fence: Fence) -> str:
        if fence.language == "console" and _is_typed(fence.body):
            # The prompt is added by a style, so that it is not copied.
            fence = _with_info(fence, "{.sh .typed}", _PROMPT.sub("", fence.body))
            return tabs(fence) if has_make(fence) else fence.text
        if has_make(fence):
            return tabs(fence)
        if not fence.source:
            return _with_info(fence, _output_info(fence)).text
        wanted = quote(self.root, fence.source, fence.options.get("lines", ""))
        if fence.body != wanted:
            raise QuoteError(
                f"The code on the page differs from {fence.source}. "
                "Run `python -m workshop pages`."
            )
        title = fence.title or _STARTER.sub(
            r"lessons/\1/app.py", fence.source.partition("::")[0]
        )
        info = f'{fence.language} title="{title}"'
        if "hl" in fence.options:
            numbers = highlighted(wanted, fence.options["hl"])
            info += f' hl_lines="{" ".join(map(str, numbers))}"'
        return _with_info(fence, info).text


def _output_info(fence: Fence) -> str:
    """Return the info string of a block with a command's output."""
    if fence.language == "text" and fence.title:
        return f'{{.text .output title="{fence.title}"}}'
    return fence.info


def _is_typed(body: str) -> bool:
    """Whether every line is a command, not output."""
    return all(_PROMPT.match(line) for line in body.splitlines())


def _with_info(fence: Fence, info: str, body: str | None = None) -> Fence:
    return replace(fence, info=info, body=fence.body if body is None else body)


class _Pictures(Treeprocessor):
    """Replace the paragraphs of pictures with their drawings."""

    def __init__(self, md: Markdown, root: Path) -> None:
        super().__init__(md)
        self.stash = md.htmlStash
        self.pictures = root / "docs" / "pictures"

    def run(self, root: Element) -> None:
        styles: set[str] = set()
        for paragraph in root.iter("p"):
            images = list(paragraph)
            if len(images) != 1 or images[0].tag != "img":
                continue
            source = images[0].get("src", "")
            if (paragraph.text or "").strip() or not is_drawn(source):
                continue
            name = source.rpartition("/")[2].removesuffix(".svg")
            html = figure(self.pictures, name, images[0].get("alt", ""))
            html = without_repeats(html, styles)
            paragraph.remove(images[0])
            paragraph.text = self.stash.store(html)


class _Boxes(Treeprocessor):
    """Show boxes as bullets of a to-do list.

    Real check boxes would need a label and would not keep their state.
    """

    def run(self, root: Element) -> None:
        for items in root.iter("ul"):
            # If an item has paragraphs, its text is in the first.
            texts = [
                it if (it.text or "").strip() else next(iter(it), it) for it in items
            ]
            if all((it.text or "").startswith(_BOX) for it in texts):
                items.set("class", "boxes")
                for it in texts:
                    it.text = (it.text or "").removeprefix(_BOX)


class _Sections(Treeprocessor):
    """Fold the section for instructors; without JavaScript it stays open."""

    def run(self, root: Element) -> None:
        for heading in root.findall("h2"):
            if heading.text == FOR_INSTRUCTORS:
                _fold(root, heading)


def _fold(root: Element, heading: Element) -> None:
    children = list(root)
    start = children.index(heading)
    section = [heading]
    for it in children[start + 1 :]:
        if it.tag in ("h1", "h2"):
            break
        section.append(it)
    details = Element("details", {"class": "instructor", "open": "open"})
    summary = SubElement(details, "summary")
    # A link inside a clickable summary would have two meanings.
    for link in heading.findall("a"):
        heading.remove(link)
    for it in section:
        root.remove(it)
    summary.append(heading)
    details.extend(section[1:])
    root.insert(start, details)


class _FirstUses(Treeprocessor):
    """Explain a term only where a page first uses it."""

    def run(self, root: Element) -> None:
        seen: set[str] = set()
        self.visit(root, seen, quiet=False)

    def visit(self, parent: Element, seen: set[str], quiet: bool) -> None:
        for child in list(parent):
            silent = quiet or child.tag in ("h1", "h2", "h3", "h4", "a", "summary")
            if child.tag == "abbr":
                term = (child.text or "").lower()
                if silent or term in seen:
                    _unwrap(parent, child)
                else:
                    seen.add(term)
            else:
                # Terms in a folded section may never be seen.
                inside = set(seen) if child.tag == "details" else seen
                self.visit(child, inside, silent)


def _unwrap(parent: Element, child: Element) -> None:
    """Replace *child* with its text."""
    index = list(parent).index(child)
    text = (child.text or "") + (child.tail or "")
    parent.remove(child)
    if index:
        before = parent[index - 1]
        before.tail = (before.tail or "") + text
    else:
        parent.text = (parent.text or "") + text
