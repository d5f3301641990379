"""Write reference pages from docstrings and signatures.

Modules are parsed rather than imported where that is enough, because a page must not
depend on the installed packages.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    import click
    import griffe

    # Only authors have griffe installed, so it is imported where it is used.
    _Documented = griffe.Object | griffe.Alias

_DOUBLED = re.compile(r"``(.+?)``", re.DOTALL)
_SECTIONS = ("Args:", "Attributes:", "Raises:", "Returns:", "Yields:")


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
        ValueError: *package* has no `__all__`, or something in it has no docstring.
    """
    module = _load(package)
    if not module.exports:
        raise ValueError(f"{package.name} does not say what it offers (__all__)")
    offered = [_named(str(name), module) for name in module.exports]
    lines: list[str] = []
    for it in offered:
        if it.is_function:
            lines += _function(it, "##")
    for it in offered:
        if it.is_class:
            lines += _class(it)
    return "\n".join(lines).rstrip()


def fixtures_page(plugin: Path) -> str:
    """Return the part that documents the fixtures of the pytest plugin *plugin*."""
    import griffe

    lines = ["| fixture | what a test gets |", "| --- | --- |"]
    module = griffe.visit(
        plugin.stem, filepath=plugin, code=plugin.read_text(encoding="utf-8")
    )
    for function in module.functions.values():
        if any(it.callable_path.endswith("fixture") for it in function.decorators):
            words = " ".join(_docstring(function).split())
            lines.append(f"| `{function.name}` | {words} |")
    return "\n".join(lines)


def _named(name: str, module: griffe.Object) -> _Documented:
    """Return what *module* calls *name*: not the submodule that has the same name."""
    found = cast("_Documented", module[name])
    return cast("_Documented", found[name]) if found.is_module else found


def _load(package: Path) -> griffe.Object:
    """Parse *package*, a folder below the one that imports start from."""
    import griffe

    root = package.parents[1]
    name = ".".join(package.relative_to(root).parts)
    loader = griffe.GriffeLoader(search_paths=[root], allow_inspection=False)
    loaded = loader.load(name, try_relative_path=False)
    loader.resolve_aliases(external=False)
    return cast("griffe.Object", loaded)


def _class(it: _Documented) -> Iterator[str]:
    yield from (f"## {it.name}", "", _docstring(it), "")
    made = it.members.get("__init__")
    if made is not None:
        yield from (f"`{it.name}{_arguments(made, skip=1)}`", "")
        if made.docstring:
            yield from (_docstring(made), "")
    attributes = [
        member
        for member in it.members.values()
        if member.is_attribute and member.docstring and not member.name.startswith("_")
    ]
    # Those with a value of their own before those that are computed.
    attributes.sort(key=lambda member: "property" in member.labels)
    rows = [
        f"| `{member.name}` | {_first_paragraph(_docstring(member))} |"
        for member in attributes
    ]
    if rows:
        yield from ("| attribute | what it is |", "| --- | --- |", *rows, "")
    for member in it.members.values():
        public = not member.name.startswith("_") or member.name == "__call__"
        if public and member.is_function and member.docstring:
            yield from _function(member, "###", of=it.name)


def _function(it: _Documented, heading: str, of: str = "") -> Iterator[str]:
    kind = "await " if "async" in it.labels else ""
    owner = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", of).lower()
    name = f"{owner}.{it.name}" if of else it.name
    if it.name == "__call__":
        name = owner
    bound = bool(of) and "staticmethod" not in it.labels
    call = f"{kind}{name}{_arguments(it, skip=int(bound))}"
    title = it.name if it.name != "__call__" else "calling it"
    yield from (f"{heading} {title}", "", f"`{call}`", "", _docstring(it), "")


def _arguments(it: _Documented, *, skip: int) -> str:
    """Return the arguments of *it* without types: names and defaults."""
    import griffe

    words: list[str] = []
    keywords = False
    for parameter in list(cast("griffe.Function", it).parameters)[skip:]:
        match parameter.kind:
            case griffe.ParameterKind.var_positional:
                keywords = True
                words.append(f"*{parameter.name}")
                continue
            case griffe.ParameterKind.var_keyword:
                words.append(f"**{parameter.name}")
                continue
            case griffe.ParameterKind.keyword_only if not keywords:
                keywords = True
                words.append("*")
        default = parameter.default
        words.append(
            parameter.name
            if default is None
            else f"{parameter.name}={_default(str(default))}"
        )
    return f"({', '.join(words)})"


def _default(words: str) -> str:
    # A private name, or a sentence, tells the reader nothing new.
    return "…" if words.startswith("_") or len(words) > 30 else words


def _docstring(it: _Documented) -> str:
    if it.docstring is None:
        raise ValueError(f"{it.name} has no docstring")
    return _markdown(it.docstring.value)


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


def _first_paragraph(words: str) -> str:
    return " ".join(words.partition("\n\n")[0].split()).replace("|", "\\|")
