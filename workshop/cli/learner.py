"""The verbs for learners."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workshop.actions.learner import LearnerActions, answer_of, step_of
from workshop.cli.arguments import (
    database_option,
    lesson_argument,
    one_lesson,
    port_option,
    wanted_port,
)
from workshop.cli.exit_codes import NOT_PASSED, PASSED
from workshop.cli.notes import complete_lessons, print_notes, say
from workshop.cli.reporting import reporting_actions
from workshop.commands import command
from workshop.lesson import Lesson
from workshop.progress import LessonRecord, content_hash
from workshop.screen.run_progress import RunProgress

if TYPE_CHECKING:
    from workshop.actions.services import Choice


@click.command("list")
def list_lessons() -> int:
    """List the lessons, their minutes and your progress."""
    from workshop.screen.pages import print_list

    actions = LearnerActions()
    print_list(complete_lessons(), actions.state())
    print_notes(actions.notes())
    return PASSED


@click.command("show")
@lesson_argument
def show(lesson: tuple[str, ...]) -> int:
    """Show a lesson's brief: the scene, the steps and your progress."""
    from workshop.screen.pages import print_brief

    it = one_lesson(lesson)
    actions = LearnerActions()
    record = actions.state().of(it.slug)
    print_brief(it, record, edited=content_hash(it.app_file) != record.content)
    print_notes(actions.notes())
    return PASSED


@click.command("test")
@lesson_argument
@click.option("--solution", is_flag=True, help="Grade the solution instead.")
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path),
    help="Grade this file instead.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@click.option("--traceback", is_flag=True, help="Also show tracebacks.")
@click.option("--all", "every_step", is_flag=True, help="Show every step in full.")
@click.option("--step", type=int, help="Judge only this step.")
@click.option(
    "--debug",
    is_flag=True,
    help="Run one step in this terminal; breakpoint() opens a debugger.",
)
@database_option
def test(
    lesson: tuple[str, ...],
    solution: bool,
    file: Path | None,
    as_json: bool,
    traceback: bool,
    every_step: bool,
    step: int | None,
    debug: bool,
    database: Choice | None,
) -> int:
    """Grade your app.py, step by step."""
    it = one_lesson(lesson)
    if solution and file is not None:
        raise click.UsageError("Either --solution or --file, not both.")
    answer = answer_of(it, solution=solution, file=file)
    only = None if step is None else step_of(it, step).number
    actions = reporting_actions(database)
    if debug:
        if as_json:
            raise click.UsageError("Either --debug or --json, not both.")
        return _debug(actions, it, answer, only)
    with RunProgress(len(it.tests), shown=not as_json and sys.stderr.isatty()) as run:
        verdict = actions.grade(it, answer, say=say, on_event=run.update)
    own = answer == it.app_file
    record = LessonRecord()
    if own:
        record = actions.record(verdict, content_hash(answer))
    if as_json:
        # In ASCII, because the encoding of a pipe on Windows varies.
        click.echo(json.dumps(verdict.as_json()))
    else:
        from workshop.screen.pages import again_lines
        from workshop.screen.report import print_verdict

        print_verdict(
            verdict,
            answer,
            traceback=traceback,
            every_step=every_step,
            only=only,
            own=own,
        )
        if verdict.passed and verdict.counts:
            for line in again_lines(it, record):
                click.echo(f"{'Repeat:':<15}{line}")
    print_notes(actions.notes())
    judged = verdict if only is None else verdict.steps[only - 1]
    return PASSED if judged.passed and verdict.counts else NOT_PASSED


def _debug(
    actions: LearnerActions, lesson: Lesson, answer: Path, number: int | None
) -> int:
    from workshop.screen.report import print_step

    _need_terminal()
    if number is None:
        record = actions.state().of(lesson.slug)
        number = record.current_step(len(lesson.steps))
    step = lesson.steps[number - 1]
    say(f"Step {number} · {step.title}: its tests run here, without time limits.")
    say("At a breakpoint: p NAME prints, n runs a line, c continues, q quits.")
    judged = actions.debug_step(lesson, answer, step, say=say)
    print_step(lesson, judged)
    check = command("test", lesson.number)
    say(f"A debugging run does not count. For a verdict: {check}")
    return PASSED if judged.passed else NOT_PASSED


def _need_terminal() -> None:
    """Raise `click.UsageError` unless a debugger could read from a terminal."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(
            "--debug needs a terminal, because a debugger reads what you type. Run it "
            "in a terminal window, without a pipe."
        )


@click.command("run")
@lesson_argument
@click.option("--solution", is_flag=True, help="Serve the solution instead.")
@port_option
@click.option(
    "--debug",
    is_flag=True,
    help="Do not reload; breakpoint() opens a debugger in this terminal.",
)
@database_option
def run(
    lesson: tuple[str, ...],
    solution: bool,
    port: int | None,
    debug: bool,
    database: Choice | None,
) -> int:
    """Serve the lesson's app, reloading when you save."""
    from workshop.actions.apps import app_ready
    from workshop.processes.loopback import loopback

    it = one_lesson(lesson)
    answer = answer_of(it, solution=solution)
    if debug:
        _need_terminal()
    host = loopback()
    place = host, wanted_port(host, port)
    with app_ready(it, answer, place, database, say=say, debug=debug) as serve:
        accepted = False
        try:
            with serve() as served:
                accepted = served.wait_until_it_accepts()
                if accepted:
                    say(f"Lesson {it.number} · {it.title}: {served.address}/docs")
                    if debug:
                        say("breakpoint() opens a debugger; q or Ctrl-C stops the app.")
                    else:
                        say("It reloads when you save. Ctrl-C stops it.")
                code = served.wait()
        except KeyboardInterrupt:
            # Ctrl-C is the normal end, unless the app never started.
            return PASSED if accepted else NOT_PASSED
    return PASSED if code == 0 else NOT_PASSED


@click.command("hint")
@lesson_argument
@click.option("--step", type=int, help="Default: your current step.")
@click.option("--show", is_flag=True, help="Show the solution's change for that step.")
def hint(lesson: tuple[str, ...], step: int | None, show: bool) -> int:
    """Show the next hint for your current step."""
    from workshop.screen.pages import print_change, print_hint

    it = one_lesson(lesson)
    actions = reporting_actions()
    record = actions.state().of(it.slug)
    number = record.current_step(len(it.steps)) if step is None else step
    if step is None and record.verdicts.get(number) == "passed":
        click.echo(
            f"Every step of lesson {it.number} has passed. To read a hint again: "
            f"{command('hint', it.number, '--step 1')}"
        )
        return PASSED
    if show:
        noted = actions.show_change(it, number)
        print_change(it, step_of(it, number), noted=noted)
    else:
        print_hint(actions.next_hint(it, number), by_number=step is not None)
    print_notes(actions.notes())
    return PASSED


@click.command("solution")
@lesson_argument
@click.option("--step", type=int, help="Default: your current step.")
@click.option("--all", "whole", is_flag=True, help="Show every step, with reasons.")
def solution(lesson: tuple[str, ...], step: int | None, whole: bool) -> int:
    """Compare your file with the solution of your current step, with the reasons."""
    from workshop.screen.pages import print_solution

    if whole and step is not None:
        raise click.UsageError("Either --all or --step, not both.")
    it = one_lesson(lesson)
    answer_of(it)
    actions = reporting_actions()
    record = actions.state().of(it.slug)
    current = record.current_step(len(it.steps))
    finished = record.verdicts.get(current) == "passed"
    if step is None and not whole and not finished:
        step = current
    print_solution(actions.solution(it, step), reasons=whole or step is not None)
    print_notes(actions.notes())
    return PASSED


VERBS: tuple[click.Command, ...] = (
    list_lessons,
    show,
    test,
    run,
    hint,
    solution,
)
