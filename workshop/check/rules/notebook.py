"""Rules on a lesson's notebook: it is its text, run as a whole, and an experiment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workshop.check.finding import Finding
from workshop.check.rules.places import below, notebook_of, notebook_text_of, text_of
from workshop.lesson import Lesson
from workshop.lesson.completeness import is_file

LINES = 25
COLUMNS = 72
"""What fits on a phone and on a printed page."""

# Somebody's home, a temporary folder, an address in memory.
_MACHINES = re.compile(r"/(?:home|root|tmp|Users|usr|var)/|[A-Z]:\\|0x[0-9a-f]{6}")
_STATEMENT = 25
"""Shorter lines of a solution may stand in a notebook."""

Cell = dict[str, Any]


def paired(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """A notebook is there, and has the cells of its text."""
    # Needs the packages for notebooks, which only the checks have.
    from workshop.notebooks.pairing import differences, read

    text = text_of(notebook_text_of(lesson, root))
    if text is None:
        return  # a finding of its own
    if not is_file(notebook_of(lesson, root)):
        yield _finding(lesson, root, "is missing", _renew(lesson))
        return
    try:
        told = list(differences(text, read(notebook_of(lesson, root))))
    except Exception as problem:  # noqa: BLE001 -- whatever its file is, it is no notebook
        told = [f"cannot be read ({problem})"]
    for words in told:
        yield _finding(lesson, root, words, _renew(lesson))


def executed(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """A notebook was run once, from top to bottom."""
    counts = [cell.get("execution_count") for cell in _code(lesson, root)]
    if counts != list(range(1, len(counts) + 1)):
        yield _finding(lesson, root, "was not run from top to bottom", _renew(lesson))


def errors(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """A cell fails only if it is tagged `raises-exception`, and then it does."""
    for number, cell in _numbered(lesson, root):
        failed = any(it.get("output_type") == "error" for it in _outputs(cell))
        meant = "raises-exception" in cell.get("metadata", {}).get("tags", [])
        if failed != meant:
            what = "fails" if failed else "should fail, but does not"
            yield _finding(
                lesson,
                root,
                f"code cell {number} {what}",
                "The tag raises-exception marks cells that are meant to fail.",
            )


def machines(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """Outputs say nothing about the machine that they were made on."""
    for number, cell in _numbered(lesson, root):
        found = _MACHINES.search(json.dumps(cell.get("outputs", [])))
        if found:
            yield _finding(
                lesson,
                root,
                f"the output of code cell {number} has {found[0]!r} in it",
                "Print no paths and no addresses in memory.",
            )


def sizes(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """Cells fit on a phone and on a page."""
    for number, cell in _numbered(lesson, root):
        lines = _source(cell).splitlines()
        widest = max(map(len, lines), default=0)
        if len(lines) > LINES:
            what = f"code cell {number} has {len(lines)} lines"
            yield _finding(lesson, root, what, f"A page shows {LINES}.")
        if widest > COLUMNS:
            what = f"code cell {number} is {widest} wide"
            yield _finding(lesson, root, what, f"A phone shows {COLUMNS}.")


def experiments(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """A notebook lets predict before each answer, and change something; it draws."""
    cells = _cells(lesson, root)
    if cells is None:
        return
    told = "\n".join(map(_source, cells))
    drawn = sum(
        "image/svg+xml" in it.get("data", {})
        for cell in cells
        if cell.get("cell_type") == "code"
        for it in _outputs(cell)
    )
    predictions = told.count("**Predict.**")
    if predictions < 2:
        what = f"asks for {predictions} predictions and should ask for 2 or more"
        yield _finding(lesson, root, what, "Write '**Predict.**' before a result.")
    if told.count("</details>") < predictions - 1:
        what = "leaves predictions without an answer to unfold"
        yield _finding(lesson, root, what, "Put each answer into <details>.")
    if "**Your turn.**" not in told:
        what = "lets nobody change anything"
        yield _finding(lesson, root, what, "Add a paragraph '**Your turn.**'.")
    if drawn < 2:
        what = f"shows {drawn} pictures and should show 2 or more"
        yield _finding(lesson, root, what, "End a cell with what record() gives.")
    if f"../docs/lessons/{lesson.slug}.md" not in told:
        what = "does not link the lesson's page"
        yield _finding(lesson, root, what, f"Link ../docs/lessons/{lesson.slug}.md.")


def spoilers(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """A notebook does not hold a line of the solution."""
    text = text_of(notebook_text_of(lesson, root))
    starter, solution = text_of(lesson.state_file(0)), text_of(lesson.solution_file)
    if text is None or starter is None or solution is None:
        return
    changed = _statements(solution) - _statements(starter)
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() in changed:
            yield Finding(
                lesson.slug,
                "notebook",
                f"holds the solution's line {line.strip()!r}",
                below(notebook_text_of(lesson, root), root),
                number,
                "Show the pattern by another example.",
            )


def _statements(source: str) -> set[str]:
    """Return the lines of *source* that say something, and import nothing."""
    return {
        it
        for it in map(str.strip, source.splitlines())
        if len(it) > _STATEMENT
        and not it.startswith(("#", "from ", "import ", "async with ("))
    }


def _renew(lesson: Lesson) -> str:
    return f"`python -m workshop notebooks-renew {lesson.number}` makes it of its text."


def _finding(lesson: Lesson, root: Path, what: str, fix: str) -> Finding:
    file = below(notebook_of(lesson, root), root)
    return Finding(lesson.slug, "notebook", what, file, fix=fix)


def _cells(lesson: Lesson, root: Path) -> list[Cell] | None:
    """Return the cells of the notebook; None if there are none to judge."""
    try:
        cells = json.loads(text_of(notebook_of(lesson, root)) or "")["cells"]
    except (KeyError, TypeError, ValueError):
        return None
    return [it for it in cells if isinstance(it, dict)] or None


def _code(lesson: Lesson, root: Path) -> list[Cell]:
    cells = _cells(lesson, root) or []
    return [it for it in cells if it.get("cell_type") == "code"]


def _numbered(lesson: Lesson, root: Path) -> Iterator[tuple[int, Cell]]:
    yield from enumerate(_code(lesson, root), 1)


def _outputs(cell: Cell) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cell.get("outputs", [])
    return found


def _source(cell: Cell) -> str:
    return "".join(cell.get("source", ""))
