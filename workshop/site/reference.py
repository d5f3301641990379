"""Write reference pages from docstrings and signatures.

Modules are parsed rather than imported where that is enough, because a page must not
depend on the installed packages.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import click

_DOUBLED = re.compile(r"``(.+?)``", re.DOTALL)
_SECTIONS = ("Args:", "Attributes:", "Raises:", "Returns:", "Yields:")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Definition = _Function | ast.ClassDef


class SpokenVerb(Protocol):
    """The properties of a verb that the command line's page shows."""

    @property
    def name(self) -> str:
        """The word to type."""
        ...

    @property
    def usage(self) -> str:
        """The arguments for Python."""
        ...

    @property
    def make(self) -> str:
        """The goals for make."""
        ...


def command_line_page(
    commands: Mapping[str, click.Command], verbs: Iterable[SpokenVerb]
) -> str:
    """Return the part of the page that lists every verb with its options."""
    lines: list[str] = []
    for verb in verbs:
        command = commands.get(verb.name)
        if command is None:
            continue
        lines += [
            f"## {verb.name}",
            "",
            _words(command),
            "",
            "```sh",
            f"make {verb.make}",
            f"python -m workshop {verb.usage}",
            "```",
            "",
        ]
        below: Mapping[str, click.Command] = getattr(command, "commands", {})
        if below:
            lines += ["| then | what it does |", "| --- | --- |"]
            lines += [f"| `{it.name}` | {_words(it)} |" for it in below.values()]
            lines.append("")
        rows = [row for row in map(_option, command.params) if row]
        if rows:
            lines += ["| option | what it does |", "| --- | --- |", *rows, ""]
    return "\n".join(lines).rstrip()


def _words(command: click.Command) -> str:
    return " ".join(inspect.cleandoc(command.help or "").split())


def _option(parameter: click.Parameter) -> str:
    if parameter.param_type_name != "option":
        return ""
    names = ", ".join(f"`{it}`" for it in parameter.opts)
    words = str(getattr(parameter, "help", "") or "")
    default = parameter.default
    shown = getattr(parameter, "show_default", False)
    if shown and isinstance(default, int | str):
        words += f" Default: {default}."
    choices = getattr(parameter.type, "choices", ())
    if choices:
        names += " " + " or ".join(f"`{it}`" for it in choices)
    return f"| {names} | {words.strip()} |"


def package_page(package: Path) -> str:
    """Return the part that documents the `__all__` of *package*.

    Functions come first; anything but classes and functions is left out.

    Raises:
        ValueError: A class or function has no docstring.
    """
    names = _offered(package)
    found = _definitions(package)
    functions = [n for n in names if isinstance(found.get(n), _FUNCTIONS)]
    classes = [n for n in names if isinstance(found.get(n), ast.ClassDef)]
    lines: list[str] = []
    for name in functions:
        lines += _function(found[name], "##")
    for name in classes:
        node = found[name]
        assert isinstance(node, ast.ClassDef)
        lines += _class(node)
    return "\n".join(lines).rstrip()


def fixtures_page(plugin: Path) -> str:
    """Return the part that documents the fixtures of the pytest plugin *plugin*."""
    lines = ["| fixture | what a test gets |", "| --- | --- |"]
    for node in _parse(plugin).body:
        if isinstance(node, _FUNCTIONS) and _is_fixture(node):
            words = " ".join(_docstring(node).split())
            lines.append(f"| `{node.name}` | {words} |")
    return "\n".join(lines)


def _offered(package: Path) -> list[str]:
    for node in _parse(package / "__init__.py").body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return list(ast.literal_eval(value))
    raise ValueError(f"{package.name} does not say what it offers (__all__)")


def _definitions(package: Path) -> dict[str, _Definition]:
    """Return the definitions that the `__init__` of *package* imports."""
    found: dict[str, _Definition] = {}
    for it in ast.walk(_parse(package / "__init__.py")):
        if not isinstance(it, ast.ImportFrom):
            continue
        # Absolute, for example `workshop.testing.sync.gate`.
        module = package.parents[1].joinpath(*(it.module or "").split("."))
        module = module.with_suffix(".py")
        if module.is_file():
            offered = {alias.name for alias in it.names}
            found |= {
                node.name: node
                for node in _parse(module).body
                if isinstance(node, ast.ClassDef | _Function) and node.name in offered
            }
    return found


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _class(node: ast.ClassDef) -> Iterator[str]:
    yield from (f"## {node.name}", "", _docstring(node), "")
    members = [it for it in node.body if isinstance(it, _FUNCTIONS)]
    made = next((it for it in members if it.name == "__init__"), None)
    if made is not None:
        yield from (f"`{node.name}{_arguments(made, skip=1)}`", "")
        if ast.get_docstring(made):
            yield from (_docstring(made), "")
    rows = list(_attributes(node))
    rows += [
        f"| `{it.name}` | {_first_sentence(_docstring(it))} |"
        for it in members
        if _is_property(it) and not it.name.startswith("_")
    ]
    if rows:
        yield from ("| attribute | what it is |", "| --- | --- |", *rows, "")
    for it in members:
        public = not it.name.startswith("_") or it.name == "__call__"
        if public and not _is_property(it) and ast.get_docstring(it):
            yield from _function(it, "###", of=node.name)


def _attributes(node: ast.ClassDef) -> Iterator[str]:
    """Yield the attributes that have a docstring below them."""
    for it, after in zip(node.body, node.body[1:], strict=False):
        match it, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name))
                | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(words))),
            ):
                yield f"| `{name}` | {_first_sentence(_markdown(words))} |"


def _function(node: _Definition, heading: str, of: str = "") -> Iterator[str]:
    assert isinstance(node, _FUNCTIONS)
    kind = "await " if isinstance(node, ast.AsyncFunctionDef) else ""
    owner = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", of).lower()
    name = f"{owner}.{node.name}" if of else node.name
    if node.name == "__call__":
        name = owner
    static = any(_name_of(it) == "staticmethod" for it in node.decorator_list)
    call = f"{kind}{name}{_arguments(node, skip=1 if of and not static else 0)}"
    title = node.name if node.name != "__call__" else "calling it"
    yield from (f"{heading} {title}", "", f"`{call}`", "", _docstring(node), "")


def _arguments(node: _Function, *, skip: int) -> str:
    """Return the arguments of *node* without types: names and defaults."""
    given = node.args
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    words = [
        it.arg if default is None else f"{it.arg}={_default(default)}"
        for it, default in list(zip(plain, defaults, strict=True))[skip:]
    ]
    if given.vararg:
        words.append(f"*{given.vararg.arg}")
    elif given.kwonlyargs:
        words.append("*")
    words += [
        it.arg if default is None else f"{it.arg}={_default(default)}"
        for it, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    if given.kwarg:
        words.append(f"**{given.kwarg.arg}")
    return f"({', '.join(words)})"


def _default(value: ast.expr) -> str:
    words = ast.unparse(value)
    # A private name, or a sentence, tells the reader nothing new.
    return "…" if words.startswith("_") or len(words) > 30 else words


def _docstring(node: _Definition) -> str:
    words = ast.get_docstring(node)
    if not words:
        raise ValueError(f"{node.name} has no docstring")
    return _markdown(words)


def _markdown(words: str) -> str:
    """Return a docstring as Markdown: `Raises:` and similar sections become lists."""
    lines: list[str] = []
    listing = False
    for line in _DOUBLED.sub(r"`\1`", inspect.cleandoc(words)).splitlines():
        item = re.fullmatch(r"    (\S+): +(.*)", line)
        if line in _SECTIONS:
            listing = True
            lines += [f"**{line.rstrip(':')}**", ""]
        elif listing and item:
            lines.append(f"- `{item[1]}`: {item[2]}")
        elif listing and line.strip():
            lines.append(f"  {line.strip()}")
        else:
            listing = listing and not line.strip()
            lines.append(line)
    return "\n".join(lines)


def _first_sentence(words: str) -> str:
    return " ".join(words.partition("\n\n")[0].split()).replace("|", "\\|")


def _is_property(node: _Function) -> bool:
    return any(
        _name_of(it) in ("property", "cached_property") for it in node.decorator_list
    )


def _is_fixture(node: _Function) -> bool:
    return any(_name_of(it) == "fixture" for it in node.decorator_list)


def _name_of(decorator: ast.expr) -> str:
    match decorator:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=function):
            return _name_of(function)
        case _:
            return ""
