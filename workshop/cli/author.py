"""The verbs that authors and maintainers use."""

from __future__ import annotations

import click

from workshop.cli.app import NOT_PASSED, PASSED, ROOT
from workshop.cli.learner import database_option, lesson_argument, one_lesson, say
from workshop.lesson import Catalogue


@click.command("check")
@lesson_argument
@click.option(
    "--repeat",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="How often the solution has to pass.",
)
@database_option
def check(lesson: tuple[str, ...], repeat: int, database: str | None) -> int:
    """The author's gate: is a lesson fit to be handed out?"""
    from workshop.check import check_lesson
    from workshop.cli.services import services_for

    catalogue = Catalogue(ROOT)
    chosen = [one_lesson(lesson)] if lesson else catalogue.lessons()
    findings = []
    for it in chosen:
        with services_for(it, database, say=say) as environment:
            found = check_lesson(
                it, ROOT, repeats=repeat, environment=environment, say=say
            )
        for finding in found:
            click.echo(str(finding))
        findings += found
    names = ", ".join(it.number for it in chosen)
    if findings:
        click.echo(f"{len(findings)} things to mend in lessons {names}.")
        return NOT_PASSED
    click.echo(f"Nothing to mend in lessons {names}.")
    return PASSED


@click.command("doctor")
def doctor() -> int:
    """Is this machine ready? One plain sentence for each problem."""
    from workshop.doctor import main

    return main()


@click.command("selftest")
@click.option("--everywhere", is_flag=True, help="On the oldest and newest Python too.")
def selftest(everywhere: bool) -> int:
    """The project's own whole test suite (make test)."""
    from workshop.environment.selftest import selftest as run

    return run(everywhere)


VERBS: tuple[click.Command, ...] = (check, doctor, selftest)
