"""Clean up text that people type."""

from __future__ import annotations


def one_line(text: str) -> str:
    r"""Return *text* in one line, without invisible characters.

    >>> one_line("  Ann\tMarie\x00 ")
    'Ann Marie'
    """
    words = "".join(it if it.isprintable() else " " for it in text).split()
    return " ".join(words)
