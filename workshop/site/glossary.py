"""The glossary: a page, and a tooltip wherever a term is used."""

from __future__ import annotations

import re

_ENTRY = re.compile(
    r"^(?P<terms>[^\n:#][^\n]*)\n:   (?P<meaning>.+?)(?=\n\n|\Z)", re.M | re.S
)


def read_terms(page: str) -> dict[str, str]:
    """Return the meanings of the terms on the glossary *page*.

    The page is a definition list; a term may have several forms, separated by commas.
    """
    return {
        term.strip(): " ".join(match["meaning"].split())
        for match in _ENTRY.finditer(page)
        for term in match["terms"].split(",")
    }


def abbreviations(page: str) -> str:
    """Return the terms of *page* in the syntax of Python-Markdown's abbreviations.

    Only the first sentence of a meaning fits into a tooltip.
    """
    lines = []
    for term, meaning in read_terms(page).items():
        first = re.sub(r"[`*_]", "", meaning).partition(". ")[0].rstrip(".") + "."
        lines.append(f"*[{term}]: {first}")
    return "\n".join(lines)
