"""Parts of pages that are made from the tree: tables, facts, agendas, references.

A page holds them between `<!-- name -->` and `<!-- /name -->`.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from workshop.check.texts import Finding
from workshop.lesson import Catalogue, Lesson
from workshop.lesson.published import CHECKSUMS, checksums
from workshop.site.agenda import agenda_tables
from workshop.site.notebook import notebook_page, title_of
from workshop.site.reference import fixtures_page, package_page

_CUT = re.compile(
    r"^\*\*(?:What to cut|Cut)\.\*\*\n(?P<words>.+?)(?=\n\n|\Z)", re.M | re.S
)


@dataclass(frozen=True)
class Fact:
    """A statement about libraries, and the test that stands behind it."""

    statement: str
    packages: tuple[str, ...]
    topic: str
    test: str


@dataclass(frozen=True)
class Part:
    """Something on *page* that *make* writes: between marks, or all of it.

    `name` is that of the marks, and "" when the whole page is made.
    """

    page: Path
    name: str
    make: Callable[[], str]

    def renewed(self) -> str:
        """Return the page as it should be."""
        if not self.name:
            return self.make()
        return _put(self.page.read_text(encoding="utf-8"), self.name, self.make())


def parts(root: Path) -> list[Part]:
    """Return what is made in the checkout *root*."""
    docs = root / "docs"
    lessons = Catalogue(root).lessons()

    def table(link: str) -> Callable[[], str]:
        return lambda: lesson_table(lessons, link)

    wanted = [
        Part(root / "lessons" / CHECKSUMS, "", lambda: checksums(lessons)),
        Part(root / "README.md", "lessons", table("lessons/{}/README.md")),
        Part(docs / "index.md", "lessons", table("lessons/{}.md")),
        Part(docs / "lessons" / "index.md", "lessons", table("{}.md")),
        Part(
            docs / "reference" / "facts.md",
            "facts",
            lambda: fact_tables(read_facts(root)),
        ),
        Part(docs / "reference" / "lab.md", "fixtures", lambda: _fixtures(root)),
        Part(docs / "reference" / "lab.md", "lab", lambda: _package(root, "lab")),
        Part(
            docs / "reference" / "timeline.md",
            "timeline",
            lambda: _package(root, "timeline"),
        ),
        Part(
            docs / "teaching" / "agendas.md",
            "agendas",
            lambda: agenda_tables(lessons),
        ),
        Part(docs / "teaching" / "index.md", "cuts", lambda: cut_table(lessons)),
    ]
    return [*wanted, *_notebooks(root)]


def _package(root: Path, name: str) -> str:
    return package_page(root / "workshop" / name)


def _fixtures(root: Path) -> str:
    return fixtures_page(root / "workshop" / "lab" / "plugin.py")


def _notebooks(root: Path) -> list[Part]:
    """Return a page for each notebook, and the list of them."""
    folder = root / "docs" / "notebooks"
    found = sorted((root / "notebooks").glob("[0-9]*.ipynb"))
    pages = [
        Part(folder / f"{it.stem}.md", "", functools.partial(notebook_page, it))
        for it in found
    ]
    if found:
        made = functools.partial(_notebook_list, found)
        pages.append(Part(folder / "index.md", "", made))
    return pages


def _notebook_list(notebooks: Iterable[Path]) -> str:
    lines = [
        "# Notebooks",
        "",
        "Experiments on the patterns: predict, run, change one thing, and look at",
        "the loop. What you see here was printed by the notebooks themselves.",
        "`make notebooks` opens copies of your own, without the answers.",
        "",
    ]
    lines += [f"- [{title_of(notebook_page(it))}]({it.stem}.md)" for it in notebooks]
    return "\n".join(lines) + "\n"


def _there(root: Path, more: Iterable[Part]) -> list[Part]:
    """Return all parts, but for those of pages that are not there."""
    every = (*parts(root), *more)
    return [it for it in every if not it.name or it.page.is_file()]


def left_over(root: Path) -> list[Path]:
    """Return pages of notebooks that are not there any more."""
    pages = (root / "docs" / "notebooks").glob("[0-9]*.md")
    return [
        it for it in pages if not (root / "notebooks" / f"{it.stem}.ipynb").is_file()
    ]


def renew(root: Path, more: Iterable[Part] = ()) -> list[Path]:
    """Write the made parts of *root*, and *more*, anew; return what changed."""
    changed = []
    for part in _there(root, more):
        before = _read(part.page)
        renewed = part.renewed()
        if renewed != before:
            part.page.parent.mkdir(parents=True, exist_ok=True)
            part.page.write_text(renewed, encoding="utf-8", newline="\n")
            changed.append(part.page)
    for page in left_over(root):
        page.unlink()
        changed.append(page)
    return changed


def check_generated(root: Path, more: Iterable[Part] = ()) -> Iterator[Finding]:
    """Yield the pages whose made parts are not what they would be today."""
    for part in _there(root, more):
        if part.renewed() != _read(part.page):
            yield _stale(part.page, f"its {part.name or 'text'}")
    for page in left_over(root):
        yield _stale(page, "its notebook is gone, and its text")


def _stale(page: Path, what: str) -> Finding:
    words = f"{what}: not today's; `python -m workshop pages` renews it"
    return Finding(page.name, "generated", words)


def _read(page: Path) -> str | None:
    return page.read_text(encoding="utf-8") if page.is_file() else None


def lesson_table(lessons: Iterable[Lesson], link: str) -> str:
    """Return the table of lessons; *link* is a link with {} for the name."""
    rows = ["| lesson | steps | minutes |", "| --- | --- | --- |"]
    rows += [
        f"| [{it.number} · {it.title}]({link.format(it.slug)}) "
        f"| {len(it.brief.sections)} | {it.minutes} |"
        for it in lessons
    ]
    return "\n".join(rows)


def cut_table(lessons: Iterable[Lesson]) -> str:
    """Return what each lesson's page says about what to cut.

    Raises ValueError when a page does not say it.
    """
    rows = ["| lesson | what to cut, and what to keep |", "| --- | --- |"]
    for it in lessons:
        said = _CUT.search(it.page.read_text(encoding="utf-8"))
        if not said:
            raise ValueError(f"{it.page.name} does not say what to cut (**Cut.**).")
        words = " ".join(said["words"].split()).replace("|", "\\|")
        rows.append(
            f"| [{it.number} · {it.title}](../lessons/{it.slug}.md) | {words} |"
        )
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
    for topic, there in sorted(by_topic.items(), key=lambda it: it[0].lower()):
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
