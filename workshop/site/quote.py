"""Quote code by name from files that tests run.

A page names `solutions/00_event_loop/app.py::report`, never a line number, so a quote
stays correct when the file changes, and a missing name is an error.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

TO = " …"
"""Separates the first line from the last: `lines="a … b"`, `lines="a …"`."""
OR = " | "
"""Separates texts whose lines are highlighted: `hl="a | b"`."""


_TODO = re.compile(r"^ *# TODO\b.*\n(?: *#  +.*\n)*", re.MULTILINE)


class QuoteError(ValueError):
    """A page quotes something that does not exist. The message says what and where."""


def quote(root: Path, source: str, lines: str = "") -> str:
    """Return the code that *source* names, without its common indentation.

    *source* is a file below *root*, optionally with `::` and the names of definitions
    in it: `app.py`, `app.py::prices`, `app.py::Cache.get,Cache.set`. A dotted name
    refers to a definition inside a class or function. Comments directly above a
    definition belong to it.

    *lines* narrows the result: a text on its first line, and after " … " a text on its
    last line, or nothing to continue to the end. Lines with `# TODO` are omitted: they
    are for learners who edit the file, and may answer a question on the page.

    Raises:
        QuoteError: The file, name or text does not exist, or is ambiguous.
    """
    path, _, names = source.partition("::")
    file = root / path
    if not file.is_file():
        raise QuoteError(f"there is no file {path}")
    try:
        code = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise QuoteError(f"{path} cannot be read: {problem}") from None
    if names:
        try:
            found = [_definition(code, name) for name in names.split(",")]
        except QuoteError as problem:
            raise QuoteError(f"{path} {problem}") from None
        apart = "\n" if "." in names else "\n\n"
        code = apart.join(found)
    if lines:
        try:
            code = _narrow(code, lines)
        except QuoteError as problem:
            raise QuoteError(f"{source}: {problem}") from None
    code = _TODO.sub("", code)
    return dedent(code).strip("\n") + "\n"


def highlighted(code: str, texts: str) -> list[int]:
    """Return the numbers of the lines of *code* that contain one of *texts*.

    *texts* is one text, or several separated by " | ".

    Raises:
        QuoteError: No line contains a text.
    """
    numbers: set[int] = set()
    for text in texts.split(OR):
        there = [n for n, line in enumerate(code.splitlines(), 1) if text in line]
        if not there:
            raise QuoteError(f"no line contains {text!r}, which should be highlighted")
        numbers.update(there)
    return sorted(numbers)


def _definition(code: str, dotted: str) -> str:
    """Return the lines that define *dotted*, with the comments above them."""
    try:
        node: ast.AST = ast.parse(code)
    except (SyntaxError, ValueError) as problem:
        raise QuoteError(f"is not valid Python: {problem}") from None
    for name in dotted.strip().split("."):
        here = [it for it in ast.iter_child_nodes(node) if name in _names(it)]
        deeper = [it for it in ast.walk(node) if it is not node and name in _names(it)]
        found = here or deeper
        if not found:
            raise QuoteError(f"has no {dotted}")
        if len(found) > 1:
            raise QuoteError(f"defines {dotted} {len(found)} times")
        node = found[0]
    assert isinstance(node, ast.stmt)
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(it.lineno for it in decorators)]) - 1
    lines = code.splitlines(keepends=True)
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return "".join(lines[first : node.end_lineno])


def _names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Assign():
            yield from (it.id for it in node.targets if isinstance(it, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name


def _narrow(code: str, wanted: str) -> str:
    lines = code.splitlines(keepends=True)
    first_text, to, last_text = wanted.partition(TO)
    firsts = [n for n, line in enumerate(lines) if first_text in line]
    if len(firsts) != 1:
        raise QuoteError(f"{len(firsts)} lines contain {first_text!r} instead of one")
    first = last = firsts[0]
    if last_text:
        text = last_text.strip()
        after = (n for n in range(first + 1, len(lines)) if text in lines[n])
        last = next(after, -1)
        if last < 0:
            raise QuoteError(f"no line after {first_text!r} contains {text!r}")
    elif to:
        last = len(lines) - 1
    return "".join(lines[first : last + 1])
