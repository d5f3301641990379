"""The verbs that authors and maintainers use."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from workshop import course, paths
from workshop.cli.arguments import database_option, lesson_argument, named_lesson
from workshop.cli.exit_codes import NOT_PASSED, PASSED
from workshop.cli.notes import say
from workshop.commands import command

if TYPE_CHECKING:
    from workshop.actions.services import Choice


@click.command("new-lesson")
@click.argument("name")
@click.option(
    "--steps", type=int, default=4, show_default=True, help="Number of steps."
)
def new_lesson(name: str, steps: int) -> int:
    """Write the files of a new lesson: a small one that works.

    NAME is its number and name, such as 13_races. With make: `make new-lesson
    ARGS="13_races --steps 4"`.
    """
    from workshop.check.new_lesson import NewLessonError, write_lesson

    try:
        written = write_lesson(paths.ROOT, name, steps)
    except NewLessonError as problem:
        raise click.UsageError(str(problem)) from None
    for path in written:
        click.echo(f"Wrote {path.relative_to(paths.ROOT).as_posix()}")
    number = name[:2]
    click.echo()
    for words, verb, option in (
        ("The starter fails:", "test", ""),
        ("The solution passes:", "test", "--solution"),
        ("What to write next:", "check", "--draft"),
    ):
        click.echo(f"{words:<25}{command(verb, number, option)}")
    return PASSED


@click.command("check")
@lesson_argument
@click.option(
    "--repeat",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="How many times the solution has to pass.",
)
@click.option("--draft", is_flag=True, help="Only list what is missing.")
@database_option
def check(
    lesson: tuple[str, ...], repeat: int, draft: bool, database: Choice | None
) -> int:
    """Check whether a lesson is ready to publish.

    With --draft, run nothing and list what is missing, in the order in which to write
    it.
    """
    from workshop.actions.services import services_for_tests
    from workshop.check import check_draft, check_lesson

    every = course.catalogue().named()
    chosen = [named_lesson(lesson)] if lesson else every
    count = 0
    for it in chosen:
        if draft:
            found = check_draft(it, paths.ROOT, say)
        else:
            found = check_lesson(
                it,
                paths.ROOT,
                repeats=repeat,
                services=partial(services_for_tests, it, database, say=say),
                say=say,
            )
        for number, finding in enumerate(found, 1):
            # An author's to-do list needs neither the lesson nor the rule.
            click.echo(f"{number}. {finding.in_words}" if draft else str(finding))
        count += len(found)
    names = ", ".join(it.number for it in chosen)
    lessons = f"lesson {names}" if len(chosen) == 1 else f"lessons {names}"
    if count:
        click.echo(f"{count} {'problem' if count == 1 else 'problems'} in {lessons}.")
        return NOT_PASSED
    click.echo(f"No problems in {lessons}.")
    if draft and chosen:
        only = chosen[0].number if len(chosen) == 1 else ""
        say(f"Now run the whole check: {command('check', only)}")
    return PASSED


@click.command("pages")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; only report.")
@click.option("--quick", is_flag=True, help="Run nothing; keep the outputs.")
def pages(only_check: bool, quick: bool) -> int:
    """Update what pages quote from the project: code, outputs, tables, facts."""
    from workshop.cli.outputs import pages_findings

    findings = pages_findings(quick=quick, renewing=not only_check)
    for finding in findings:
        click.echo(str(finding))
    return NOT_PASSED if findings else PASSED


@click.command("doctor")
def doctor() -> int:
    """Check this machine, and say for each problem what to do."""
    from workshop.doctor import main

    return main()


@click.command("install-dev")
def install_dev() -> int:
    """Install the packages that contributors need, and run nothing."""
    # They are there already: each verb gets its packages before it begins.
    click.echo("The packages for contributors are installed.")
    return PASSED


@click.command("selftest")
@click.option("--all", "everything", is_flag=True, help="The slow tests, too.")
@click.option(
    "--everywhere",
    is_flag=True,
    help="Everything, and what may differ on the oldest and newest Python.",
)
def selftest(everything: bool, everywhere: bool) -> int:
    """Run linters, type checker and the project's own tests (make test).

    Without an option, slow tests are left out.
    """
    from workshop.environment.selftest import Tier
    from workshop.environment.selftest import selftest as run

    if everywhere:
        return run(Tier.EVERYWHERE)
    return run(Tier.ALL if everything else Tier.QUICK)


VERBS: tuple[click.Command, ...] = (
    *(new_lesson, check, pages, doctor, install_dev, selftest),
)
