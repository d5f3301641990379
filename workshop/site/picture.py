"""Embed recorded pictures into pages.

An SVG file in an `<img>` supports neither the dark theme nor hover texts. So the page
contains the drawing itself, once for wide screens and, if there is a `NAME-narrow.svg`,
once for phones.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from workshop.timeline import Timeline, svg

_PROLOGUE = re.compile(r"^\s*(<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->)", re.DOTALL)
_HOVER = re.compile(r"<title>[^<]*</title>")
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
_ID = re.compile(r'\bid="([^"]+)"')
_REFERENCE = re.compile(r'url\(#([^)]+)\)|(?<=href=")#([^"]+)')
_LABELS = re.compile(r'(?P<name>aria-(?:labelledby|describedby))="(?P<ids>[^"]*)"')


class PictureError(ValueError):
    """A page shows a picture that does not exist."""


def is_drawn(source: str) -> bool:
    """Whether *source* is a picture to embed: pictures/….svg."""
    parts = source.split("/")
    return len(parts) > 1 and parts[-2] == "pictures" and source.endswith(".svg")


def figure(pictures: Path, name: str, caption: str) -> str:
    """Return the figure of `NAME.svg` in the folder *pictures*, as one HTML line.

    Raises:
        PictureError: The file is missing.
    """
    wide = pictures / f"{name}.svg"
    if not wide.is_file():
        raise PictureError(
            f"There is no picture {name}.svg in {pictures}. "
            "`python -m workshop pictures` draws them."
        )
    narrow = pictures / f"{name}-narrow.svg"
    if narrow.is_file():
        drawings = _pair(_drawing(wide), _drawing(narrow))
    else:
        drawings = f"<div>{_drawing(wide)}</div>"
    words = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    # Keep its labels out of the search index.
    drawn = f"<div data-search-exclude>{drawings}</div>"
    return f'<figure class="loop">{drawn}{words}</figure>'


def timeline_figure(timeline: Timeline, title: str, name: str) -> str:
    """Return the figure of a *timeline*, for wide screens and for phones.

    *name* is the prefix of its ids and must be unique on the page.
    """
    wide = inline(svg(timeline, title=title), name)
    narrow = inline(svg(timeline, title=title, narrow=True), f"{name}-narrow")
    drawn = f"<div data-search-exclude>{_pair(wide, narrow)}</div>"
    return f'<figure class="loop">{drawn}</figure>'


def _pair(wide: str, narrow: str) -> str:
    # Phones have no hover.
    phone = _HOVER.sub("", narrow)
    return f'<div class="wide">{wide}</div><div class="narrow">{phone}</div>'


def inline(svg: str, name: str) -> str:
    """Return *svg* for use inside a page: on one line, with unique ids.

    A page may contain several drawings, and ids must be unique on a page.
    """
    while match := _PROLOGUE.match(svg):
        svg = svg[match.end() :]
    own = {it: f"{name}-{it}" for it in _ID.findall(svg)}

    def refer(match: re.Match[str]) -> str:
        called = match[1] or match[2]
        return match[0].replace(f"#{called}", f"#{own.get(called, called)}")

    def label(match: re.Match[str]) -> str:
        ids = " ".join(own.get(it, it) for it in match["ids"].split())
        return f'{match["name"]}="{ids}"'

    svg = _ID.sub(lambda it: f'id="{own[it[1]]}"', svg)
    svg = _LABELS.sub(label, _REFERENCE.sub(refer, svg))
    # A blank line would end the HTML block in Markdown.
    svg = re.sub(r"\s*\n\s*", " ", svg.strip())
    return svg.replace("> <", "><").replace("&#x27;", "'")


def without_repeats(html: str, seen: set[str]) -> str:
    """Return *html* without the styles in *seen*, and add its own to *seen*.

    A style applies to the whole page, and pictures of one kind share the same style,
    which is half as long as a small picture.
    """

    def keep_first(match: re.Match[str]) -> str:
        again = match[0] in seen
        seen.add(match[0])
        return "" if again else match[0]

    return _STYLE.sub(keep_first, html)


def _drawing(path: Path) -> str:
    return inline(path.read_text(encoding="utf-8"), path.stem)
