"""Generated parts of pages: tables of lessons, facts, agendas, reference pages.

On a page they stand between `<!-- name -->` and `<!-- /name -->`.
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

from workshop import files
from workshop.check.finding import Finding
from workshop.check.pages import PageError, pages_below, read_page
from workshop.lesson import Catalogue, Lesson
from workshop.lesson.completeness import is_file
from workshop.lesson.published import CHECKSUMS, checksums
from workshop.site.agenda import agenda_tables
from workshop.site.notebook import NotebookError, notebook_page, title_of
from workshop.site.reference import fixtures_page, package_page

_CUT = re.compile(
    r"^\*\*(?:What to cut|Cut)\.\*\*[ \t]*\n(?P<words>\S.*?)(?=\n\s*\n|\Z)",
    re.M | re.S,
)


LESSON_PARTS = ("lessons", "agendas", "cuts")
"""The parts of pages that list all lessons."""


@dataclass(frozen=True)
class Fact:
    """A statement about libraries, with the test that proves it."""

    statement: str
    packages: tuple[str, ...]
    topic: str
    test: str


@dataclass(frozen=True)
class Part:
    """A generated part of *page*: the text between two markers, or the whole page.

    `name` is the name in the markers, or "" for a whole page.
    """

    page: Path
    name: str
    make: Callable[[], str]

    def renewed(self, text: str) -> str:
        """Return *text*, the current text of the page, with this part updated.

        Raises `PageError` if it cannot be generated.
        """
        try:
            return _put(text, self.name, self.make()) if self.name else self.make()
        except ValueError as problem:
            raise PageError(f"{self.page.name}: {problem}") from None


def parts(root: Path) -> list[Part]:
    """Return the generated parts in the checkout *root*."""
    docs = root / "docs"
    lessons = Catalogue(root).lessons()
    # A link to a missing page would stop the site's build.
    shown = [it for it in lessons if is_file(it.page)]

    def table(link: str, of: Iterable[Lesson] = shown) -> Callable[[], str]:
        return lambda: lesson_table(of, link)

    wanted = [
        Part(root / "README.md", "lessons", table("lessons/{}/README.md", lessons)),
        Part(docs / "index.md", "lessons", table("lessons/{}.md")),
        Part(docs / "lessons" / "index.md", "lessons", table("{}.md")),
        Part(
            docs / "reference" / "facts.md",
            "facts",
            lambda: fact_tables(read_facts(root)),
        ),
        Part(docs / "reference" / "test_kit.md", "fixtures", lambda: _fixtures(root)),
        Part(
            docs / "reference" / "test_kit.md",
            "testing",
            lambda: _package(root, "testing"),
        ),
        Part(
            docs / "reference" / "timeline.md",
            "timeline",
            lambda: _package(root, "timeline"),
        ),
        Part(
            docs / "teach" / "agendas.md",
            "agendas",
            lambda: agenda_tables(shown),
        ),
        Part(docs / "teach" / "index.md", "cuts", lambda: cut_table(shown)),
    ]
    if lessons:
        path = root / "lessons" / CHECKSUMS
        wanted.insert(0, Part(path, "", lambda: checksums(lessons)))
    return [*wanted, *_notebooks(root)]


def _package(root: Path, name: str) -> str:
    return package_page(root / "workshop" / name)


def _fixtures(root: Path) -> str:
    return fixtures_page(root / "workshop" / "testing" / "plugin.py")


def _notebooks(root: Path) -> list[Part]:
    """Return a page for each notebook that can be shown, and the list of notebooks."""
    folder = root / "docs" / "notebooks"
    found = {}
    for notebook in _notebook_files(root):
        with contextlib.suppress(NotebookError):
            found[notebook.stem] = notebook_page(notebook)
    pages = [
        Part(folder / f"{name}.md", "", functools.partial(str, text))
        for name, text in found.items()
    ]
    if found:
        made = functools.partial(_notebook_list, found)
        pages.append(Part(folder / "index.md", "", made))
    return pages


def _notebook_files(root: Path) -> list[Path]:
    return sorted((root / "notebooks").glob("[0-9]*.ipynb"))


def _notebook_problem(notebook: Path) -> str:
    """Return why *notebook* cannot have a page; "" if it can."""
    try:
        notebook_page(notebook)
    except NotebookError as problem:
        return str(problem)
    return ""


def _notebook_list(pages: Mapping[str, str]) -> str:
    lines = [
        "# Notebooks",
        "",
        "Experiments with the patterns: predict, run, change one thing, and watch the",
        "event loop. The outputs on these pages were printed by the notebooks.",
        "`make notebooks` opens your own copies, without the outputs.",
        "",
    ]
    lines += [f"- [{title_of(text)}]({name}.md)" for name, text in pages.items()]
    return "\n".join(lines) + "\n"


def _there(root: Path, more: Iterable[Part]) -> list[Part]:
    """Return the parts whose pages exist."""
    every = (*parts(root), *more)
    return [it for it in every if not it.name or it.page.is_file()]


def left_over(root: Path) -> list[Path]:
    """Return pages of notebooks that no longer exist."""
    pages = (root / "docs" / "notebooks").glob("[0-9]*.md")
    return [
        it for it in pages if not (root / "notebooks" / f"{it.stem}.ipynb").is_file()
    ]


def planned(
    root: Path,
    more: Iterable[Part] = (),
    fill: Callable[[str], str] = lambda text: text,
) -> dict[Path, str | None]:
    """Return the outdated pages of *root*, each with its new text.

    None means that the page has to be deleted. *fill* updates the other parts of a
    page, its quotes and outputs. Nothing is written, so an error in one page does not
    leave the others half updated.

    Raises:
        PageError: A part cannot be generated.

    """
    texts: dict[Path, str] = {}
    for part in _there(root, more):
        before = texts.get(part.page)
        if before is None:
            before = read_page(part.page) if part.page.is_file() else ""
        texts[part.page] = part.renewed(before)
    for page in pages_below(root):
        texts[page] = fill(texts[page] if page in texts else read_page(page))
    stale: dict[Path, str | None] = {
        page: text for page, text in texts.items() if _read(page) != text
    }
    return stale | dict.fromkeys(left_over(root))


def write(pages: Mapping[Path, str | None]) -> list[Path]:
    """Write the result of `planned`, each file atomically; return the files."""
    for page, text in pages.items():
        if text is None:
            page.unlink(missing_ok=True)
            continue
        page.parent.mkdir(parents=True, exist_ok=True)
        mode = page.stat().st_mode & 0o777 if page.exists() else 0o644
        files.replace(page, text.encode("utf-8"), mode)
    return list(pages)


def renew(root: Path, more: Iterable[Part] = ()) -> list[Path]:
    """Update the generated parts of *root*, and *more*; return the changed files.

    Raises:
        PageError: A part cannot be generated. Nothing was written.

    """
    return write(planned(root, more))


def check_generated(root: Path, more: Iterable[Part] = ()) -> Iterator[Finding]:
    """Yield a finding for each page whose generated parts are out of date."""
    yield from _left_out(root)
    yield from _stale_parts(root, _there(root, more))
    for page in left_over(root):
        yield _stale(page, "its notebook is gone, and its text", root)


def _stale_parts(root: Path, parts: Iterable[Part]) -> Iterator[Finding]:
    for part in parts:
        try:
            text = read_page(part.page) if part.page.is_file() else ""
            stale = part.renewed(text) != text
        except PageError as problem:
            yield Finding(part.page.name, "generated", str(problem))
            continue
        if stale:
            yield _stale(part.page, f"its {part.name or 'text'}", root)


def check_tables(root: Path, lesson: Lesson) -> Iterator[Finding]:
    """Yield the outdated pages that show *lesson*: tables, agendas, its notebook."""
    shown = [
        it
        for it in _there(root, ())
        if it.name in LESSON_PARTS or it.page.stem == lesson.slug
    ]
    return _stale_parts(root, shown)


def words_on_cutting(page: str) -> str:
    """Return what to cut from a lesson when time is short, according to its page."""
    said = _CUT.search(page)
    return " ".join(said["words"].split()) if said else ""


def check_cut(lesson: Lesson) -> Iterator[Finding]:
    """Yield a finding if the page of *lesson* does not say what to leave out."""
    try:
        said = words_on_cutting(read_page(lesson.page))
    except PageError as problem:
        yield Finding(lesson.slug, "page", str(problem))
        return
    if not said:
        yield Finding(
            lesson.slug,
            "page",
            "does not say what to leave out when time is short",
            f"docs/lessons/{lesson.page.name}",
            fix="Add a line '**Cut.**' with the text below it.",
        )


def _left_out(root: Path) -> Iterator[Finding]:
    """Yield why a lesson or a notebook is missing from the generated tables."""
    for lesson in Catalogue(root).lessons():
        yield from check_cut(lesson)
    for notebook in _notebook_files(root):
        reason = _notebook_problem(notebook)
        if reason:
            yield Finding(notebook.stem, "notebook", reason)


def _stale(page: Path, what: str, root: Path) -> Finding:
    return Finding(
        page.name,
        "generated",
        f"{what}: out of date",
        page.relative_to(root).as_posix(),
        fix="Run `python -m workshop pages`.",
    )


def _read(page: Path) -> str | None:
    return page.read_text(encoding="utf-8") if page.is_file() else None


def lesson_table(lessons: Iterable[Lesson], link: str) -> str:
    """Return the table of lessons; *link* is a link with {} for the name."""
    rows = [
        "| lesson | afterwards you can | steps | minutes |",
        "| --- | --- | --- | --- |",
    ]
    rows += [
        f"| [{it.number} · {it.title}]({link.format(it.slug)}) "
        f"| {it.goal} | {len(it.brief.sections)} | {it.minutes} |"
        for it in lessons
    ]
    return "\n".join(rows)


def cut_table(lessons: Iterable[Lesson]) -> str:
    """Return a table of what to cut from each lesson, according to its page.

    Pages that do not say it are left out here and reported by the check.
    """
    rows = ["| lesson | what to cut, and what to keep |", "| --- | --- |"]
    for it in lessons:
        words = words_on_cutting(read_page(it.page)).replace("|", "\\|")
        if words:
            rows.append(
                f"| [{it.number} · {it.title}](../lessons/{it.slug}.md) | {words} |"
            )
    return "\n".join(rows)


def read_facts(root: Path) -> list[Fact]:
    """Return the facts in `tests/facts`, without importing them.

    Raises:
        PageError: A file cannot be read, or a fact has no docstring to state it.
    """
    found = []
    for path in sorted((root / "tests" / "facts").glob("test_*.py")):
        constants: dict[str, Any] = {}
        try:
            body = ast.parse(path.read_text(encoding="utf-8")).body
        except (OSError, SyntaxError, UnicodeDecodeError) as problem:
            raise PageError(f"{path.name} cannot be read: {problem}") from None
        for node in body:
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
    # Facts about Python itself are tested on the oldest and the newest version.
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
        raise PageError(f"{path.name}: {node.name} has no docstring")
    packages: list[str] = []
    for argument in decorator.args:
        if isinstance(argument, ast.Starred):
            packages += _value(argument.value, constants)
        else:
            packages.append(_value(argument, constants))
    (topic,) = (str(_value(it.value, constants)) for it in decorator.keywords)
    return Fact(statement, tuple(packages), topic, f"{path.name}::{node.name}")


def _value(node: ast.expr, constants: Mapping[str, Any]) -> Any:
    """Return the value of *node*: a literal, or a constant of its module."""
    return constants[node.id] if isinstance(node, ast.Name) else ast.literal_eval(node)


def _put(text: str, name: str, part: str) -> str:
    """Return *text* with *part* between its two markers.

    Raises:
        PageError: The markers are missing.
    """
    marks = re.compile(rf"(<!-- {name} -->\n).*?(\n?<!-- /{name} -->)", re.DOTALL)
    if not marks.search(text):
        raise PageError(f"There is no <!-- {name} --> … <!-- /{name} --> to fill.")
    return marks.sub(lambda m: f"{m[1]}\n{part}\n\n<!-- /{name} -->", text)
