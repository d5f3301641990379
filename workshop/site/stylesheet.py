"""Leave out of the theme's stylesheet what no page and no script ever names.

A rule for a class that occurs nowhere cannot match anything. In a room with a
weak network that is a quarter of a stylesheet that everybody waits for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_WORD = re.compile(r"[\w-]+")
_CLASS = re.compile(r"\.(-?[A-Za-z_][\w-]*)")
_NOT = re.compile(r":not\([^()]*\)")
_PICTURE = re.compile(r"""(--[\w-]+):url\((?:"[^"]*"|'[^']*'|[^)]*)\);?""")


def pruned(css: str, used: str) -> str:
    """Return *css* without the rules whose classes do not occur in *used*.

    *used* is the text of all pages and scripts. A word there that ends with
    `-` is taken for the beginning of names that a script puts together.
    Pictures in custom properties go as well when nothing refers to them.
    """
    words = set(_WORD.findall(used))
    beginnings = tuple(it for it in words if it.endswith("-") and len(it) > 3)

    def occurs(name: str) -> bool:
        return name in words or name.startswith(beginnings)

    left = "".join(_rules(css, occurs))
    return _PICTURE.sub(
        lambda it: it[0] if f"var({it[1]}" in left or it[1] in used else "", left
    )


def _rules(css: str, occurs: Callable[[str], bool]) -> Iterator[str]:
    for head, body in _blocks(css):
        # What stands before a selector, like an @import, ends with its ";".
        before, _, selectors = head.rpartition(";")
        start = f"{before};" if before else ""
        if body is None:
            yield head
        elif selectors.lstrip().startswith(("@media", "@supports", "@layer")):
            inside = "".join(_rules(body, occurs))
            yield f"{start}{selectors}{{{inside}}}" if inside else start
        elif selectors.lstrip().startswith("@"):
            yield f"{head}{{{body}}}"
        else:
            kept = [it for it in _apart(selectors) if _may_match(it, occurs)]
            yield f"{start}{','.join(kept)}{{{body}}}" if kept else start


def _may_match(selector: str, occurs: Callable[[str], bool]) -> bool:
    # What a rule excludes need not exist; in `:is(.a,.b)` one of them may.
    if "\\" in selector or ":is(" in selector or ":where(" in selector:
        return True
    return all(occurs(name) for name in _CLASS.findall(_NOT.sub("", selector)))


def _blocks(css: str) -> Iterator[tuple[str, str | None]]:
    """Yield what stands before each block and in it; None in the end."""
    at = 0
    while (opens := css.find("{", at)) >= 0:
        closes = _end_of_block(css, opens)
        yield css[at:opens], css[opens + 1 : closes]
        at = closes + 1
    if at < len(css):
        yield css[at:], None


def _end_of_block(css: str, opens: int) -> int:
    depth, at = 0, opens
    while at < len(css):
        match css[at]:
            case "{":
                depth += 1
            case "}":
                depth -= 1
                if depth == 0:
                    return at
            case '"' | "'" as quote:
                at = css.index(quote, at + 1)
        at += 1
    raise ValueError("The stylesheet ends inside a block.")


def _apart(selectors: str) -> Iterator[str]:
    """Yield the selectors between commas, but for those in brackets."""
    depth, start = 0, 0
    for at, sign in enumerate(selectors):
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and depth == 0:
            yield selectors[start:at]
            start = at + 1
    yield selectors[start:]
