"""Read the scenes of a scenario file without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path


class ScriptError(Exception):
    """A scenario file is missing or has no scene. The message says how to fix it."""


@dataclass(frozen=True)
class Scene:
    """A scene of a lesson: its function, and the title of its picture."""

    name: str
    title: str


def read_scenes(file: Path) -> tuple[Scene, ...]:
    """Return the scenes of *file* in their order. There is at least one.

    Raises:
        ScriptError: the file is missing, cannot be read or has no scene.
    """
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ScriptError(
            f"{file} is missing. `git checkout -- {file.name}` in its folder restores "
            "it."
        ) from None
    except (OSError, SyntaxError, ValueError) as problem:
        raise ScriptError(f"{file} cannot be read: {problem}.") from None
    scenes = tuple(
        Scene(node.name, _title(node))
        for node in tree.body
        if isinstance(node, ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and [it.arg for it in node.args.args] == ["stage"]
    )
    if not scenes:
        raise ScriptError(
            f"{file} has no scene: a public `async def` that takes a `stage`."
        )
    return scenes


def _title(node: ast.AsyncFunctionDef) -> str:
    words = (ast.get_docstring(node) or node.name).strip().partition("\n")[0]
    return words.rstrip(".")
