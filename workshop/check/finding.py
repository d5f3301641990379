"""Something that must be mended before a lesson is handed out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that must be mended before a lesson is handed out.

    `rule` names the rule, `text` says what is wrong. `file`, below the
    checkout, and `line` say where, if there is one place. `fix` is a sentence
    that says what to do.
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
        """The place, what is wrong there, and what to do."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        text = f"{place}: {self.text}" if place else self.text
        return f"{text}. {self.fix}" if self.fix else text
