"""The verbs for learners."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workshop.cli import place
from workshop.cli.app import NOT_PASSED, PASSED
from workshop.lesson import Lesson, Step
from workshop.progress import LessonRecord, State, Store, content_hash
from workshop.terminal.output import trusted

if TYPE_CHECKING:
    from workshop.actions.services import Choice
    from workshop.grading import LessonVerdict


def one_lesson(words: tuple[str, ...]) -> Lesson:
    """Return the complete lesson that *words* name.

    Raises:
        LessonError: It is incomplete.
        click.UsageError: See `named_lesson`.
        UnknownLessonError: See `named_lesson`.

    """
    return place.whole(named_lesson(words))


def named_lesson(words: tuple[str, ...]) -> Lesson:
    """Return the lesson that *words* name, complete or not.

    Raises:
        click.UsageError: There is not exactly one word.
        UnknownLessonError: It names no lesson.

    """
    catalogue = place.catalogue()
    if not words:
        there = ", ".join(lesson.number for lesson in catalogue.named())
        raise click.UsageError(f"Which lesson? Add its number, one of: {there}.")
    if len(words) > 1:
        step = " For a step, use --step." if words[1].isdecimal() else ""
        raise click.UsageError(
            f"One lesson at a time, please: {' or '.join(words)}, not both.{step}"
        )
    return catalogue.find(words[0])


lesson_argument = click.argument("lesson", nargs=-1, metavar="LESSON")
database_option = click.option(
    "--database",
    type=click.Choice(["sqlite", "postgres"]),
    help="Use a SQLite file or an embedded PostgreSQL server.",
)


@click.command("list")
def list_lessons() -> int:
    """List the lessons, their minutes and your progress."""
    from workshop.screen.pages import print_list

    store = place.store()
    print_list(place.lessons(), store.load())
    tell_notes(store)
    return PASSED


@click.command("show")
@lesson_argument
def show(lesson: tuple[str, ...]) -> int:
    """Show a lesson's brief: the scene, the steps and your progress."""
    from workshop.screen.pages import print_brief

    it = one_lesson(lesson)
    store = place.store()
    record = store.load().of(it.slug)
    print_brief(it, record, edited=content_hash(it.app_file) != record.content)
    tell_notes(store)
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
@click.option("--step", type=int, help="Only this step decides.")
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
    answer = it.solution_file if solution else file or it.app_file
    if not answer.is_file():
        raise click.UsageError(_words_for_missing(it, answer))
    own = answer == it.app_file
    only = None if step is None else step_of(it, step).number
    if debug:
        from workshop.cli.debugging import debug_step

        return debug_step(it, answer, only, database, as_json=as_json)
    verdict = _grade(it, answer, database, quiet=as_json)
    store = place.store()
    kept = own and verdict.counts
    record = _remember(store, it, verdict) if kept else LessonRecord()
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
        if verdict.passed and kept:
            for line in again_lines(it, record):
                click.echo(f"{'Repeat:':<15}{line}")
    tell_notes(store)
    judged = verdict if only is None else verdict.steps[only - 1]
    return PASSED if judged.passed and verdict.counts else NOT_PASSED


@click.command("run")
@lesson_argument
@click.option("--solution", is_flag=True, help="Serve the solution instead.")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: any free port.")
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
    from workshop.actions.services import services_for_app
    from workshop.actions.serving import Served
    from workshop.cli.debugging import debugging_environment, need_terminal
    from workshop.processes.loopback import loopback
    from workshop.processes.temporary import temporary_folder

    it = one_lesson(lesson)
    answer = it.solution_file if solution else it.app_file
    if not answer.is_file():
        raise click.UsageError(_words_for_missing(it, answer))
    if debug:
        need_terminal()
    host = loopback()
    chosen = wanted_port(host, port)
    # Each start begins with an empty database, as each test does. Files that the app
    # writes also go to this folder, and not to the lesson's.
    with (
        temporary_folder("app") as folder,
        services_for_app(it, database, folder, say=say) as environment,
    ):
        accepted = False
        environment |= debugging_environment("run", it.number, debug=debug)
        try:
            with Served(
                answer.parent,
                host,
                chosen,
                environment=environment,
                scratch=folder,
                debug=debug,
            ) as served:
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
    from workshop.screen.pages import print_hint

    it = one_lesson(lesson)
    store = place.store()
    record = store.load().of(it.slug)
    number = record.current_step(len(it.steps)) if step is None else step
    if step is None and record.verdicts.get(number) == "passed":
        from workshop.screen.console import command

        click.echo(
            f"Every step of lesson {it.number} has passed. To read a hint again: "
            f"{command('hint', it.number, '--step 1')}"
        )
        return PASSED
    current = step_of(it, number)
    if show:
        _show_change(it, current, store)
        return PASSED
    seen = record.hints.get(number, 0)
    rung = min(seen + 1, len(current.hints))

    def note(state: State) -> None:
        state.of(it.slug).hints[number] = rung

    store.update(note)
    again = seen == len(current.hints)
    print_hint(it, current, rung, again=again, by_number=step is not None)
    tell_notes(store)
    return PASSED


def _show_change(lesson: Lesson, step: Step, store: Store) -> None:
    from workshop.screen.pages import print_change

    def note(state: State) -> bool:
        record = state.of(lesson.slug)
        record.show(step.number, now())
        return step.number in record.shown

    print_change(lesson, step, noted=store.update(note))
    tell_notes(store)


@click.command("solution")
@lesson_argument
@click.option("--step", type=int, help="Compare with the solution up to this step.")
def solution(lesson: tuple[str, ...], step: int | None) -> int:
    """Show the differences between your file and the solution, with reasons."""
    from workshop.screen.pages import print_solution

    it = one_lesson(lesson)
    if not it.app_file.is_file():
        raise click.UsageError(_words_for_missing(it, it.app_file))
    store = place.store()

    def note(state: State) -> None:
        record = state.of(it.slug)
        record.solution_seen = record.solution_seen or now()

    store.update(note)
    if step is None:
        why = (it.solution / "README.md").read_text(encoding="utf-8")
        why = why.partition("\n## Design")[0]  # that section is for authors
        print_solution(it, it.app_file, it.solution_file, "the solution", why)
    else:
        title = f"the solution up to step {step_of(it, step).number}"
        print_solution(it, it.app_file, it.state_file(step), title, "")
    tell_notes(store)
    return PASSED


def step_of(lesson: Lesson, number: int) -> Step:
    """Return the step; raise `click.UsageError` if it does not exist."""
    steps = lesson.steps
    if not 1 <= number <= len(steps):
        raise click.UsageError(
            f"Lesson {lesson.number} has steps 1 to {len(steps)}; "
            f"there is no step {number}."
        )
    return steps[number - 1]


def _grade(
    lesson: Lesson,
    answer: Path,
    database: Choice | None = None,
    *,
    quiet: bool = False,
) -> LessonVerdict:
    from workshop.actions.services import services_for_tests
    from workshop.cli.printouts import with_kept_output
    from workshop.grading import grade

    progress = _Progress(len(lesson.tests), shown=not quiet and sys.stderr.isatty())
    try:
        with services_for_tests(lesson, database, say=say) as environment:
            verdict = grade(
                lesson, answer, environment=environment, on_event=progress.take
            )
            return with_kept_output(verdict)
    finally:
        progress.clear()


class _Progress:
    """A line in the terminal that shows the progress of the run."""

    def __init__(self, total: int, *, shown: bool) -> None:
        self.total = total
        self.shown = shown
        self.begun = 0
        self._write("Importing the libraries ...")

    def take(self, event: dict[str, Any]) -> None:
        if event["event"] == "start":
            self.begun += 1
            self._write(f"Test {self.begun} of {self.total} ...")

    def clear(self) -> None:
        self._write("")

    def _write(self, text: str) -> None:
        if self.shown:
            stream = trusted(sys.stderr)
            stream.write(f"\r{text:<40}" + ("\r" if not text else ""))
            stream.flush()


def _remember(store: Store, lesson: Lesson, verdict: LessonVerdict) -> LessonRecord:
    content = content_hash(lesson.app_file)
    verdicts = {step.number: str(step.verdict) for step in verdict.steps}

    def change(state: State) -> LessonRecord:
        record = state.of(lesson.slug)
        record.judge(verdicts, content, now())
        return record

    return store.update(change)


def _words_for_missing(lesson: Lesson, answer: Path) -> str:
    if answer == lesson.app_file:
        from workshop.screen.console import command

        back = command("reset", lesson.number)
        return f"{answer} is missing. To restore the starter: {back}"
    return f"There is no file {answer}."


def wanted_port(host: str, port: int | None) -> int:
    """Return *port*, or a free port of *host* if it is None.

    Raises:
        click.UsageError: *port* is taken.

    """
    from workshop.actions.serving import is_taken
    from workshop.processes.loopback import free_port

    if port is None:
        return free_port(host)
    if is_taken(host, port):
        raise click.UsageError(
            f"Port {port} is taken by another program. Leave out --port to use a "
            "free one."
        )
    return port


def now() -> str:
    """Return the current time in the format of the record."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def say(sentence: str) -> None:
    """Print a note to standard error, apart from the verb's output."""
    click.echo(sentence, err=True)


def tell_notes(store: Store) -> None:
    """Print the notes that *store* has collected about its file."""
    for note in store.notes:
        say(note)


VERBS: tuple[click.Command, ...] = (
    list_lessons,
    show,
    test,
    run,
    hint,
    solution,
)
