"""All rules, in the order in which an author should follow them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from workshop.check.finding import Finding
from workshop.check.rules import files, notebook, page, texts, variants
from workshop.lesson import Lesson

Rule = Callable[[Lesson, Path], Iterable[Finding]]

RULES: tuple[Rule, ...] = (
    files.complete,
    files.titles,
    texts.hints,
    texts.facts,
    texts.messages,
    texts.clocks,
    texts.todos,
    texts.columns,
    files.scenes,
    texts.reasons,
    variants.declared,
    page.parts,
    page.sources,
    page.pictures,
    files.placeholders,
    notebook.paired,
    notebook.executed,
    notebook.errors,
    notebook.machines,
    notebook.sizes,
    notebook.experiments,
    notebook.spoilers,
    page.recorded,
    page.tables,
)
"""First the files the tool needs, then the authors' texts, then generated files."""


def broken_rules(lesson: Lesson, root: Path) -> list[Finding]:
    """Return the rules that the files of *lesson* break, the most basic first.

    If a lesson cannot be read, the other rules are not checked.
    """
    unreadable = list(files.readable(lesson, root))
    if unreadable:
        return unreadable
    return [finding for rule in RULES for finding in rule(lesson, root)]
