"""Rules about a lesson's notebook: made from its text, run as a whole, interactive."""

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
"""The width that fits on a phone and on a printed page."""

# A home directory, a temporary folder, a memory address.
_MACHINES = re.compile(r"/(?:home|root|tmp|Users|usr|var)/|[A-Z]:\\|0x[0-9a-f]{6}")
_STATEMENT = 25
"""Shorter lines of the solution may appear in a notebook."""

Cell = dict[str, Any]


def paired(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """The notebook exists and has the cells of its text."""
    # Needs the notebook packages, which only the checks install.
    from workshop.notebooks.pairing import differences, read

    text = text_of(notebook_text_of(lesson, root))
    if text is None:
        return  # reported by another rule
    if not is_file(notebook_of(lesson, root)):
        yield _finding(lesson, root, "is missing", _renew(lesson))
        return
    try:
        problems = list(differences(text, read(notebook_of(lesson, root))))
    except Exception as problem:  # noqa: BLE001 -- the file is not a notebook
        problems = [f"cannot be read ({problem})"]
    for words in problems:
        yield _finding(lesson, root, words, _renew(lesson))


def executed(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """The notebook was run once, from top to bottom."""
    counts = [cell.get("execution_count") for cell in _code(lesson, root)]
    if counts != list(range(1, len(counts) + 1)):
        yield _finding(lesson, root, "was not run from top to bottom", _renew(lesson))


def errors(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """A cell fails if and only if it is tagged `raises-exception`."""
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
    """Outputs do not depend on the machine that produced them."""
    for number, cell in _numbered(lesson, root):
        found = _MACHINES.search(json.dumps(cell.get("outputs", [])))
        if found:
            yield _finding(
                lesson,
                root,
                f"the output of code cell {number} contains {found[0]!r}",
                "Do not print paths or memory addresses.",
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
    """A notebook asks for predictions and for a change, and draws pictures."""
    cells = _cells(lesson, root)
    if cells is None:
        return
    text = "\n".join(map(_source, cells))
    drawn = sum(
        "image/svg+xml" in it.get("data", {})
        for cell in cells
        if cell.get("cell_type") == "code"
        for it in _outputs(cell)
    )
    predictions = text.count("**Predict.**")
    if predictions < 2:
        what = f"asks for {predictions} predictions and should ask for 2 or more"
        yield _finding(lesson, root, what, "Write '**Predict.**' before a result.")
    if text.count("</details>") < predictions - 1:
        what = "has a prediction without a folded answer"
        yield _finding(lesson, root, what, "Put each answer into <details>.")
    if "**Your turn.**" not in text:
        what = "does not let learners change anything"
        yield _finding(lesson, root, what, "Add a paragraph '**Your turn.**'.")
    if drawn < 2:
        what = f"shows {drawn} pictures and should show 2 or more"
        yield _finding(lesson, root, what, "End a cell with the result of record().")
    if f"../docs/lessons/{lesson.slug}.md" not in text:
        what = "does not link the lesson's page"
        yield _finding(lesson, root, what, f"Link ../docs/lessons/{lesson.slug}.md.")


def spoilers(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """A notebook does not contain a line of the solution."""
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
                f"contains the solution's line {line.strip()!r}",
                below(notebook_text_of(lesson, root), root),
                number,
                "Show the pattern with another example.",
            )


def _statements(source: str) -> set[str]:
    """Return the lines of *source* without imports, comments and blank lines."""
    return {
        it
        for it in map(str.strip, source.splitlines())
        if len(it) > _STATEMENT
        and not it.startswith(("#", "from ", "import ", "async with ("))
    }


def _renew(lesson: Lesson) -> str:
    return f"Run `python -m workshop notebooks-renew {lesson.number}`."


def _finding(lesson: Lesson, root: Path, what: str, fix: str) -> Finding:
    file = below(notebook_of(lesson, root), root)
    return Finding(lesson.slug, "notebook", what, file, fix=fix)


def _cells(lesson: Lesson, root: Path) -> list[Cell] | None:
    """Return the cells of the notebook; None if there is no notebook to check."""
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
