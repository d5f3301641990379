"""Every failure of a verb as a sentence and an exit code."""

from __future__ import annotations

import os
import sys

import click

from workshop import paths
from workshop.actions.errors import ActionError, RequestError
from workshop.bundle.errors import BundleError
from workshop.cli.exit_codes import INTERRUPTED, NOT_PASSED, TOOL_FAILED, WRONG_USE
from workshop.lesson import LessonError, UnknownLessonError
from workshop.processes.loopback import LoopbackError
from workshop.services import ServiceError
from workshop.terminal.output import safe_plain
from workshop.update.git import UpdateError

_TOOL_FAILURES = (
    *(ActionError, BundleError, LessonError, LoopbackError, ServiceError),
    UpdateError,
)


def run_and_explain(group: click.Group, argv: list[str]) -> int:
    """Run the verb in *argv* and return its exit code; print why if it fails."""
    try:
        code = group.main(argv, prog_name="python -m workshop", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as help_page:
        click.echo(help_page.format_message())
        return WRONG_USE
    except click.ClickException as problem:
        click.echo(problem.format_message(), err=True)
        return WRONG_USE
    except (RequestError, UnknownLessonError) as problem:
        click.echo(str(problem), err=True)
        return WRONG_USE
    except _TOOL_FAILURES as problem:
        click.echo(str(problem), err=True)
        return TOOL_FAILED
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`), so there is nothing to print.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_PASSED
    except Exception as problem:  # noqa: BLE001 -- the last resort, without a traceback
        _explain_defect(problem)
        return TOOL_FAILED
    return int(code or 0)


def _explain_defect(problem: Exception) -> None:
    import traceback

    from workshop import conflicts

    if isinstance(problem, SyntaxError) and conflicts.is_marker(problem.text or ""):
        click.echo(conflicts.words_for_tool(problem), err=True)
        return
    if isinstance(problem, ImportError) and "workshop" not in str(problem.name):
        click.echo(
            f"A package is missing or damaged ({problem}). `python -m workshop "
            "doctor` says which, and what to do.",
            err=True,
        )
        return

    from workshop.environment.trouble import explain_missing_part

    missing = explain_missing_part(problem, paths.ROOT)
    if missing is not None:
        click.echo(missing, err=True)
        return

    path = paths.home() / "failure.txt"
    # Without the values of variables, because a report may become public.
    text = safe_plain("".join(traceback.format_exception(problem)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        where = f"The details are in {path}; please report them."
    except OSError:
        where = text
    click.echo(
        f"The workshop itself failed ({type(problem).__name__}: {problem}). {where}",
        err=True,
    )
