"""The verbs for notebooks: open them, regenerate them, check their outputs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workshop import paths
from workshop.cli.arguments import lesson_argument, named_lesson, one_lesson
from workshop.cli.exit_codes import NOT_PASSED, PASSED, TOOL_FAILED
from workshop.cli.notes import say
from workshop.processes.supervised import call

if TYPE_CHECKING:
    from workshop.environment.model import Environment

_KERNEL_SECONDS = 10.0
"""How long JupyterLab may take to shut down its kernels."""

_fresh = click.option(
    "--fresh", is_flag=True, help="Start from a new copy; yours is kept."
)
_browser = click.option(
    "--browser/--no-browser", default=True, help="Open a browser, or print the address."
)


@click.command("notebook")
@lesson_argument
@_fresh
@_browser
def notebook(lesson: tuple[str, ...], fresh: bool, browser: bool) -> int:
    """Open a lesson's notebook in JupyterLab."""
    it = one_lesson(lesson)
    original = paths.ROOT / "notebooks" / f"{it.slug}.ipynb"
    if not original.is_file():
        say(f"Lesson {it.number} has no notebook yet.")
        return NOT_PASSED
    return _open([original], fresh=fresh, browser=browser)


@click.command("notebooks")
@_fresh
@_browser
def notebooks(fresh: bool, browser: bool) -> int:
    """Open all notebooks in JupyterLab."""
    originals = sorted((paths.ROOT / "notebooks").glob("[0-9]*.ipynb"))
    return _open(originals, fresh=fresh, browser=browser)


@click.command("notebooks-test")
def notebooks_test() -> int:
    """Check that every notebook still gives its recorded outputs."""
    from workshop.environment.selftest import NOTEBOOKS

    command = [sys.executable, *NOTEBOOKS]
    code = call(command, cwd=paths.ROOT, environment=os.environ)
    return NOT_PASSED if code else PASSED


@click.command("notebooks-renew")
@lesson_argument
def notebooks_renew(lesson: tuple[str, ...]) -> int:
    """Regenerate the notebooks from their sources, and run them."""
    from workshop.check.generated import renew
    from workshop.check.pages import PageError
    from workshop.notebooks.execution import ExecutionError
    from workshop.notebooks.pairing import notebook_of, texts
    from workshop.notebooks.renewal import renewed

    wanted = named_lesson(lesson).slug if lesson else None
    broken = False
    for text in texts(paths.ROOT):
        if wanted in (None, text.stem):
            try:
                if renewed(text):
                    say(f"Updated notebooks/{notebook_of(text).name}.")
            except ExecutionError as problem:
                click.echo(f"notebooks/{text.name} does not run: {problem}")
                broken = True
    try:
        for page in () if broken else renew(paths.ROOT):
            say(f"Updated {page.relative_to(paths.ROOT)}.")
    except PageError as problem:
        click.echo(str(problem))
        broken = True
    return NOT_PASSED if broken else PASSED


def jupyter() -> Environment:
    """Return the environment of JupyterLab. Create it first if necessary.

    Raises:
        SetupError: It cannot be created.

    """
    from workshop.environment import setup
    from workshop.environment.model import Environment
    from workshop.notebooks.jupyter import GROUPS

    environment = Environment(paths.ROOT / ".venvs" / "notebooks")
    setup.ensure(environment, GROUPS)
    return environment


def _open(originals: list[Path], *, fresh: bool, browser: bool) -> int:
    from workshop.environment.model import SetupError
    from workshop.notebooks.copies import NoNotebookError, own_copy
    from workshop.notebooks.jupyter import command, settings

    folder = paths.ROOT / "my_notebooks"
    copies = []
    for it in originals:
        try:
            copies.append(own_copy(it, folder, fresh=fresh))
        except NoNotebookError as problem:
            # A damaged or incomplete notebook must not keep the others from opening.
            say(str(problem))
    if originals and not copies:
        return NOT_PASSED
    try:
        environment = jupyter()
    except SetupError as problem:
        click.echo(str(problem), err=True)
        return TOOL_FAILED
    target = copies[0] if len(copies) == 1 else folder
    say(f"Your copies are in {folder.name}/. Change them as you like.")
    say("Starting JupyterLab. Press Ctrl-C in this window to stop it.")
    try:
        code = call(
            command(environment.python, paths.ROOT, target, browser=browser),
            cwd=paths.ROOT,
            environment=settings(os.environ, environment.place, paths.home()),
            grace=_KERNEL_SECONDS,
        )
    except KeyboardInterrupt:
        return PASSED  # the normal end
    return NOT_PASSED if code else PASSED


VERBS: tuple[click.Command, ...] = (
    notebook,
    notebooks,
    notebooks_test,
    notebooks_renew,
)
