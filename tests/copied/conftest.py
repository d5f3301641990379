"""Loads the code under "Copy this into your service" of a solution's README."""

from __future__ import annotations

import itertools
import re
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from workshop.check.rules.texts import COPY
from workshop.lesson import Catalogue

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def copied_code(readme: Path) -> str:
    """Return the Python blocks below the title, one after the other.

    Raises:
        LookupError: The README has no such code.
    """
    text = readme.read_text(encoding="utf-8")
    _, found, part = text.partition(f"{COPY}\n")
    part = part.partition("\n## ")[0]
    blocks = _BLOCK.findall(part)
    if not found or not blocks:
        raise LookupError(f"{readme} has no code under {COPY!r}")
    return "\n\n".join(blocks)


@pytest.fixture
def service() -> Callable[..., types.ModuleType]:
    """Return a function that runs the code of a lesson as a module.

    Its first argument is the lesson's number, such as `00`. The others are the
    names that the README leaves to the reader's service, with what they are.
    """
    numbers = itertools.count(1)

    def load(lesson: str, **names: object) -> types.ModuleType:
        readme = Catalogue(ROOT).find(lesson).solution / "README.md"
        module = types.ModuleType(f"copied_{lesson}_{next(numbers)}")
        vars(module).update(names)
        code = compile(copied_code(readme), str(readme), "exec")
        exec(code, vars(module))
        return module

    return load
