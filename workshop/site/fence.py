"""Find the fenced blocks of a page and read their options.

````text
```python from="solutions/00_event_loop/app.py::report" hl="await"
````
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from textwrap import dedent, indent

_FENCE = re.compile(
    r"^(?P<margin>[ ]*)(?P<ticks>`{3,}|~{3,})(?P<info>[^\n`]*)\n"
    r"(?P<body>.*?)^(?P=margin)(?P=ticks)[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_OPTION = re.compile(r"""(?P<name>[\w-]+)=(?P<quote>["'])(?P<value>.*?)(?P=quote)""")


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language, its options, and its text without margin."""

    language: str
    body: str
    options: dict[str, str] = field(default_factory=dict)
    info: str = ""
    margin: str = ""
    ticks: str = "```"

    @property
    def source(self) -> str:
        """The source that its code is quoted from, or ""."""
        return self.options.get("from", "")

    @property
    def title(self) -> str:
        """The title above it."""
        return self.options.get("title", "")

    @property
    def text(self) -> str:
        """The block as it is on the page."""
        whole = f"{self.ticks}{self.info}\n{self.body}{self.ticks}"
        return indent(whole, self.margin)


def read_fences(page: str) -> list[Fence]:
    """Return the fenced blocks of *page*, in order."""
    return list(_found(page))


def replace_fences(page: str, replace: Callable[[Fence], str]) -> str:
    """Return *page* with each block replaced by the result of *replace*."""
    return _FENCE.sub(lambda match: replace(_read(match)), page)


def _found(page: str) -> Iterator[Fence]:
    for match in _FENCE.finditer(page):
        yield _read(match)


def _read(match: re.Match[str]) -> Fence:
    info = match["info"].rstrip()
    language = re.match(r"[{. ]*([\w-]*)", info)
    return Fence(
        language=language[1] if language else "",
        body=dedent(match["body"]) if match["margin"] else match["body"],
        options={it["name"]: it["value"] for it in _OPTION.finditer(info)},
        info=info,
        margin=match["margin"],
        ticks=match["ticks"],
    )
