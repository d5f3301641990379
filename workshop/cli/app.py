"""The command line: parses arguments, runs a verb, returns an exit code.

Exit codes: 0 passed or done, 1 not passed, 2 usage error, 3 the tool itself failed, 130
interrupted. Each verb imports what it needs when it is called, so `list` does not wait
for the import of FastAPI.
"""

from __future__ import annotations

import difflib
import os
import sys

import click

from workshop.cli import place
from workshop.lesson import LessonError, UnknownLessonError
from workshop.processes.loopback import LoopbackError
from workshop.processes.signals import orderly_end
from workshop.progress import ReplacementError
from workshop.services import ServiceError
from workshop.terminal.output import safe_plain, safe_standard_streams
from workshop.update.git import UpdateError

PASSED, NOT_PASSED, WRONG_USE, TOOL_FAILED, INTERRUPTED = 0, 1, 2, 3, 130


class Verbs(click.Group):
    """A group that suggests the nearest verb for an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb, or raise an error that lists all verbs."""
        name = args[0]
        if self.get_command(ctx, name) is None:
            near = difflib.get_close_matches(name, self.commands, 1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            verbs = ", ".join(self.commands)
            raise click.UsageError(
                f"There is no verb {name!r}.{meant} The verbs are: {verbs}."
            )
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Learn async FastAPI by repairing small real applications."""


def command_line() -> click.Group:
    """Return the command line with all its verbs."""
    from workshop.cli import (
        author,
        keeping,
        learn,
        learner,
        notebooks,
        pictures,
        prepare,
        site,
        timeline,
        transfer,
        updating,
    )

    for module in (
        *(learn, learner, keeping, timeline, notebooks, prepare, transfer),
        *(updating, author, pictures, site),
    ):
        for verb in module.VERBS:
            cli.add_command(verb)
    return cli


def main(argv: list[str]) -> int:
    """Run the command line *argv* and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows a question mark.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    with safe_standard_streams():
        return _run(argv)


def _run(argv: list[str]) -> int:
    command_line()
    with orderly_end() as end:
        return end.exit_code(_carry_out(argv))


def _carry_out(argv: list[str]) -> int:
    try:
        code = cli.main(argv, prog_name="python -m workshop", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as help_page:
        click.echo(help_page.format_message())
        return WRONG_USE
    except (UnknownLessonError, click.ClickException) as problem:
        words = (
            problem.format_message()
            if isinstance(problem, click.ClickException)
            else str(problem)
        )
        click.echo(words, err=True)
        return WRONG_USE
    except (
        *(LessonError, ReplacementError, ServiceError, UpdateError),
        LoopbackError,
    ) as problem:
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
        _tell_of_a_defect(problem)
        return TOOL_FAILED
    return int(code or 0)


def _tell_of_a_defect(problem: Exception) -> None:
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

    missing = explain_missing_part(problem, place.ROOT)
    if missing is not None:
        click.echo(missing, err=True)
        return

    path = place.home() / "failure.txt"
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
