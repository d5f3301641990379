"""Parts of pages that are made from the tree: the lesson table, the facts.

A page holds them between `<!-- name -->` and `<!-- /name -->`.
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from workshop.check.texts import Finding
from workshop.lesson import Catalogue, Lesson


@dataclass(frozen=True)
class Fact:
    """A statement about libraries, and the test that stands behind it."""

    statement: str
    packages: tuple[str, ...]
    topic: str
    test: str


def parts(root: Path) -> dict[Path, tuple[str, Callable[[], str]]]:
    """Return, for each page with a generated part, its name and its maker."""
    docs = root / "docs"

    def lessons(link: str) -> Callable[[], str]:
        return lambda: lesson_table(Catalogue(root).lessons(), link)

    return {
        root / "README.md": ("lessons", lessons("lessons/{}/README.md")),
        docs / "index.md": ("lessons", lessons("lessons/{}.md")),
        docs / "lessons" / "index.md": ("lessons", lessons("{}.md")),
        docs / "reference" / "facts.md": (
            "facts",
            lambda: fact_tables(read_facts(root)),
        ),
    }


def renew(root: Path) -> list[Path]:
    """Write the generated parts anew; return the pages that changed."""
    changed = []
    for path, (name, make) in parts(root).items():
        text = path.read_text(encoding="utf-8")
        renewed = _put(text, name, make())
        if renewed != text:
            path.write_text(renewed, encoding="utf-8", newline="\n")
            changed.append(path)
    return changed


def check_generated(root: Path) -> Iterator[Finding]:
    """Yield the pages whose generated part is not what it would be today."""
    for path, (name, make) in parts(root).items():
        text = path.read_text(encoding="utf-8")
        if _put(text, name, make()) != text:
            yield Finding(
                path.name,
                "generated",
                f"its {name} are not today's; `python -m workshop pages` renews them",
            )


def lesson_table(lessons: Iterable[Lesson], link: str) -> str:
    """Return the table of lessons; *link* is a link with {} for the name."""
    rows = ["| lesson | steps | minutes |", "| --- | --- | --- |"]
    rows += [
        f"| [{it.number} · {it.title}]({link.format(it.slug)}) "
        f"| {len(it.brief.sections)} | {it.minutes} |"
        for it in lessons
    ]
    return "\n".join(rows)


def read_facts(root: Path) -> list[Fact]:
    """Return the facts in `tests/facts`, read without importing anything.

    Raises ValueError when a fact has no docstring, which is its statement.
    """
    found = []
    for path in sorted((root / "tests" / "facts").glob("test_*.py")):
        constants: dict[str, Any] = {}
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)]):
                    with contextlib.suppress(ValueError):
                        constants[name] = ast.literal_eval(node.value)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    for decorator in node.decorator_list:
                        match decorator:
                            case ast.Call(func=ast.Name(id="fact")):
                                fact = _read_fact(node, decorator, path, constants)
                                found.append(fact)
    return found


def fact_tables(facts: Iterable[Fact]) -> str:
    """Return a table for each topic, with the versions installed here."""
    by_topic: dict[str, list[Fact]] = defaultdict(list)
    for it in facts:
        by_topic[it.topic].append(it)
    lines = []
    for topic, there in sorted(by_topic.items()):
        lines += [
            f"## {topic.capitalize()}",
            "",
            "| what is true | measured on | test |",
            "| --- | --- | --- |",
        ]
        lines += [
            f"| {it.statement.replace('|', chr(92) + '|')} "
            f"| {_versions(it)} "
            f"| `{it.test}` |"
            for it in there
        ]
        lines.append("")
    return "\n".join(lines).rstrip("\n")


def _versions(fact: Fact) -> str:
    # Facts about Python itself are run on the oldest and the newest that we have.
    packages = [f"{name} {version(name)}" for name in fact.packages]
    return ", ".join(packages) or "Python 3.11 and later"


def _read_fact(
    node: ast.FunctionDef | ast.AsyncFunctionDef,
    decorator: ast.Call,
    path: Path,
    constants: Mapping[str, Any],
) -> Fact:
    statement = " ".join((ast.get_docstring(node) or "").split())
    if not statement:
        raise ValueError(f"{path.name}: {node.name} states nothing (no docstring)")
    packages: list[str] = []
    for argument in decorator.args:
        if isinstance(argument, ast.Starred):
            packages += _value(argument.value, constants)
        else:
            packages.append(_value(argument, constants))
    (topic,) = (str(_value(it.value, constants)) for it in decorator.keywords)
    return Fact(statement, tuple(packages), topic, f"{path.name}::{node.name}")


def _value(node: ast.expr, constants: Mapping[str, Any]) -> Any:
    """Return what *node* says: a literal, or a constant of its module."""
    return constants[node.id] if isinstance(node, ast.Name) else ast.literal_eval(node)


def _put(text: str, name: str, part: str) -> str:
    """Return *text* with *part* between its two marks.

    Raises ValueError when the marks are not there.
    """
    marks = re.compile(rf"(<!-- {name} -->\n).*?(\n?<!-- /{name} -->)", re.DOTALL)
    if not marks.search(text):
        raise ValueError(f"There is no <!-- {name} --> … <!-- /{name} --> to fill.")
    return marks.sub(lambda m: f"{m[1]}\n{part}\n\n<!-- /{name} -->", text)
