"""A problem that must be fixed before a lesson is published."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A problem that must be fixed before a lesson is published.

    `rule` names the rule, and `text` says what is wrong. `file`, relative to the
    checkout, and `line` say where, if known. `fix` is a sentence that says what to do.
    """

    lesson: str
    rule: str
    text: str
    file: str = ""
    line: int = 0
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.lesson}: {self.rule}: {self.in_words}"

    @property
    def in_words(self) -> str:
        """The place, the problem and the fix."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        text = f"{place}: {self.text}" if place else self.text
        return f"{text}. {self.fix}" if self.fix else text
