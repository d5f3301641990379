"""What a learner can do: the command line and both interfaces of watch mode call it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop import course
from workshop.actions.errors import ActionError, RequestError, as_action_errors
from workshop.actions.results import Comparison, Hints
from workshop.actions.room import RoomActions
from workshop.commands import command
from workshop.lesson import Lesson, LessonError, Step
from workshop.processes.loopback import free_port, loopback
from workshop.progress import State, catch_up, content_hash, reset, undo
from workshop.services import ServiceError

if TYPE_CHECKING:
    from workshop.actions.services import Choice
    from workshop.actions.serving import Served
    from workshop.grading import LessonVerdict, StepVerdict
    from workshop.progress import LessonRecord, Replacement, Snapshot, Store
    from workshop.scenario import Scene
    from workshop.timeline import Timeline

Say = Callable[[str], None]


class LearnerActions:
    """The actions on the lessons of this checkout. Close it at the end.

    Each action may be called from any thread. It returns data, and raises
    `ActionError` with a sentence for the learner if it was not carried out.
    *database* is the database to use, None for the default.

    Attributes:
        room: What the learner does in an instructor's room.

    """

    def __init__(
        self,
        database: Choice | None = None,
        store: Store | None = None,
        room: RoomActions | None = None,
    ) -> None:
        self.room = room or RoomActions()
        self._database = database
        self._store = store or course.store()
        self._snapshots = course.snapshots()
        self._turn = threading.Lock()
        self._starting = threading.Lock()
        self._services = ExitStack()
        self._entered: tuple[Path, Mapping[str, str]] | None = None
        self._serving = ExitStack()

    def close(self) -> None:
        """Stop every server, including one that is starting, and the room's threads."""
        with self._starting:
            self.stop_serving()
        with self._turn:
            self._services.close()
        self.room.close()

    # The course and the progress in it

    def lessons(self) -> Sequence[Lesson]:
        """Return the complete lessons of the course."""
        return self._lessons

    @cached_property
    def _lessons(self) -> Sequence[Lesson]:
        return course.catalogue().lessons()

    def state(self) -> State:
        """Return the learner's progress."""
        return self._store.load()

    def notes(self) -> Sequence[str]:
        """Return what was noticed about the progress file since the last call."""
        notes = list(self._store.notes)
        self._store.notes.clear()
        return notes

    # Verdicts

    def grade(
        self,
        lesson: Lesson,
        answer: Path,
        *,
        say: Say,
        on_event: Callable[[dict[str, Any]], None],
    ) -> LessonVerdict:
        """Grade the file *answer*, and keep what it has printed.

        *say* is called with the services that are used, *on_event* with the
        progress of the run.
        """
        from workshop.actions.printouts import with_kept_output
        from workshop.actions.services import services_for_tests
        from workshop.grading import grade

        with (
            as_action_errors(),
            services_for_tests(lesson, self._database, say=say) as environment,
        ):
            verdict = grade(lesson, answer, environment=environment, on_event=on_event)
            return with_kept_output(verdict)

    def record(self, verdict: LessonVerdict, content: str) -> LessonRecord:
        """Record the verdict on the learner's file with the hash *content*.

        A verdict that does not count is not recorded.
        """
        slug = verdict.lesson.slug
        if not verdict.counts:
            return self.state().of(slug)
        verdicts = {step.number: str(step.verdict) for step in verdict.steps}

        def change(state: State) -> LessonRecord:
            record = state.of(slug)
            record.judge(verdicts, content, _now())
            return record

        record = self._store.update(change)
        self.room.judged(verdict)
        return record

    def debug_step(
        self, lesson: Lesson, answer: Path, step: Step, *, say: Say
    ) -> StepVerdict:
        """Run the tests of *step* in this terminal, and return their verdict.

        It is not recorded, because a debugger can change variables and so make any
        test pass.
        """
        from workshop.actions.services import services_for_tests
        from workshop.grading.debugged import debug

        with (
            as_action_errors(),
            services_for_tests(lesson, self._database, say=say) as environment,
        ):
            return debug(lesson, answer, step, environment)

    def enter(self, lesson: Lesson) -> Mapping[str, str]:
        """Start the services that *lesson*'s tests need; return their environment.

        Services of another lesson are stopped. May take seconds.
        """
        from workshop.actions.services import services_for_tests

        with self._turn:
            if self._entered is not None and self._entered[0] == lesson.folder:
                return self._entered[1]
            self._entered = None
            self._services.close()
            with as_action_errors():
                # The screen has no space for a line about the services.
                environment = self._services.enter_context(
                    services_for_tests(lesson, self._database, say=lambda _: None)
                )
            self._entered = lesson.folder, environment
            return environment

    # Help

    def hints(self, lesson: Lesson, step: int) -> Hints:
        """Return the hints that the learner has seen."""
        record = self.state().of(lesson.slug)
        seen = record.hints.get(step, 0)
        shown = record.has_before_them(step)
        return Hints(lesson, step_of(lesson, step), seen, change_is_shown=shown)

    def next_hint(self, lesson: Lesson, step: int) -> Hints:
        """Show one more hint, if there is one; return those seen by now."""
        wanted = step_of(lesson, step)

        def show_one_more(state: State) -> Hints:
            record = state.of(lesson.slug)
            before = record.hints.get(step, 0)
            seen = record.hints[step] = min(before + 1, len(wanted.hints))
            shown = record.has_before_them(step)
            return Hints(lesson, wanted, seen, before < seen, shown)

        found = self._store.update(show_one_more)
        if found.is_new:
            self.room.hint_shown(lesson, step, found.seen)
        return found

    def show_change(self, lesson: Lesson, step: int) -> bool:
        """Record that the solution's change for *step* was shown.

        Return whether the step now counts as shown: not if the file passes it.
        """
        step_of(lesson, step)

        def note(state: State) -> bool:
            record = state.of(lesson.slug)
            record.show(step, _now())
            return step in record.shown

        counts = self._store.update(note)
        self.room.change_shown(lesson, step)
        return counts

    def solution(self, lesson: Lesson, step: int | None = None) -> Comparison:
        """Return the solution, or its state after *step*; record that it was seen.

        If the learner's file passes *step* already, the state before that step is
        compared with the one after it: the learner's file has later steps as well.
        """
        mine = lesson.app_file
        if step is None:
            text = (lesson.solution / "README.md").read_text(encoding="utf-8")
            why = text.partition("\n## Design")[0]  # that part is for authors
            found = Comparison(lesson, mine, lesson.solution_file, why=why)
        else:
            after = lesson.state_file(step_of(lesson, step).number)
            if self.state().of(lesson.slug).verdicts.get(step) == "passed":
                mine = lesson.state_file(step - 1)
            found = Comparison(lesson, mine, after, step, lesson.reason(step))

        def note(state: State) -> None:
            record = state.of(lesson.slug)
            record.solution_seen = record.solution_seen or _now()

        self._store.update(note)
        self.room.solution_shown(lesson)
        return found

    def browse(self, lesson: Lesson) -> str:
        """Open the lesson's page in a browser and return its address.

        Return "" if the site has not been built, or if there is no browser.
        """
        from workshop.actions.lesson_pages import browse

        return browse(lesson)

    # Replacements of the learner's file

    def reset(self, lesson: Lesson) -> Replacement:
        """Replace the learner's file with the starter. A copy of it is kept."""
        with as_action_errors():
            return reset(lesson, self._store, self._snapshots)

    def catch_up(self, lesson: Lesson, step: int | None = None) -> Replacement:
        """Replace the learner's file with one in which the steps before *step* pass.

        A copy of it is kept. The default is the step that the last verdict has shown
        to be the current one.
        """
        number = self._current_step(lesson) if step is None else step
        step_of(lesson, number)
        with as_action_errors():
            return catch_up(lesson, number, self._store, self._snapshots)

    def _current_step(self, lesson: Lesson) -> int:
        record = self.state().of(lesson.slug)
        if record.content and record.content != content_hash(lesson.app_file):
            raise RequestError(
                "app.py has changed since its last verdict, so your step is not known. "
                f"Run {command('test', lesson.number)} first, or name the step: "
                f"{command('catch-up', lesson.number, '--step 2')}"
            )
        step = record.current_step(len(lesson.steps))
        if record.verdicts.get(step) == "passed":
            raise RequestError(
                f"Every step of lesson {lesson.number} has passed. To repeat one: "
                f"{command('catch-up', lesson.number, '--step 1')}"
            )
        return step

    def undo(self, lesson: Lesson, number: int | None = None) -> Replacement:
        """Restore the file as it was before the last replacement, or copy *number*."""
        copies = self.copies(lesson)
        if number is not None and number not in {copy.number for copy in copies}:
            look = command("undo", lesson.number, "--list")
            raise RequestError(
                f"Lesson {lesson.number} has no saved state {number}. To list them: "
                f"{look}"
            )
        with as_action_errors():
            return undo(lesson, self._store, self._snapshots, number)

    def copies(self, lesson: Lesson) -> list[Snapshot]:
        """Return the kept copies of the learner's file, the latest first.

        Raises:
            RequestError: if there is none.

        """
        copies = self._snapshots.of(lesson.slug)
        if not copies:
            raise RequestError(
                f"There is nothing to undo: app.py of lesson {lesson.number} "
                "was never replaced."
            )
        return copies

    def last_replaced(self) -> Lesson:
        """Return the lesson whose file was replaced last.

        Raises:
            RequestError: if no file was ever replaced.

        """
        latest = self._snapshots.latest()
        if latest is None:
            raise RequestError("There is nothing to undo: no app.py was ever replaced.")
        return course.catalogue().find(latest.slug)

    # The app, running

    def serve(
        self,
        lesson: Lesson,
        listen: Callable[[str], None],
        accept: Callable[[str], None],
    ) -> None:
        """Start to serve the learner's app beside watch mode. One app at a time.

        From other threads, *listen* is called with each line that the server and the
        app write, and *accept* with the address once the app accepts connections. An
        app that cannot be imported is reloaded after each save, so that may be much
        later.
        """
        with self._starting:
            served = self._serve(lesson, listen)

        def wait() -> None:
            if served.wait_until_it_accepts():
                accept(served.address)

        threading.Thread(target=wait, daemon=True).start()

    def _serve(self, lesson: Lesson, listen: Callable[[str], None]) -> Served:
        from workshop.actions.apps import app_ready

        self.stop_serving()
        host = loopback()
        ready = app_ready(
            lesson,
            lesson.app_file,
            (host, free_port(host)),
            self._database,
            say=listen,
            listen=listen,
        )
        with ExitStack() as stack:
            try:
                served = stack.enter_context(ready)()
            except (ServiceError, LessonError, OSError) as problem:
                raise ActionError(f"The app was not started: {problem}") from None
            stack.callback(served.close)
            with self._turn:
                self._serving = stack.pop_all()
        return served

    def stop_serving(self) -> None:
        """Stop the served app, if there is one."""
        with self._turn:
            self._serving.close()

    def scenes(self, lesson: Lesson) -> Sequence[Scene]:
        """Return the scenes that can be recorded of *lesson*, perhaps none."""
        from workshop.actions.recordings import scenes_of

        return scenes_of(lesson)

    def scene(self, lesson: Lesson, name: str | None = None) -> Scene:
        """Return the scene with this *name*, or the lesson's first scene.

        Raises:
            RequestError: if there is no such scene.

        """
        scenes = self.scenes(lesson)
        if not scenes:
            others = [it.number for it in self.lessons() if it.scenario_file.is_file()]
            raise RequestError(
                f"Lesson {lesson.number} has no scene to record. These lessons have "
                f"one: {', '.join(others)}."
            )
        for scene in scenes:
            if name in (None, scene.name):
                return scene
        there = ", ".join(scene.name for scene in scenes)
        raise RequestError(
            f"Lesson {lesson.number} has no scene {name!r}. Its scenes are: {there}."
        )

    def timeline(
        self,
        lesson: Lesson,
        scene: Scene,
        answer: Path | None = None,
        *,
        virtual: bool = False,
    ) -> Timeline:
        """Record *scene* with the app in the file *answer*; by default the learner's.

        Raises:
            NotRecordedError: if the app cannot be recorded.

        """
        from workshop.actions.recordings import record

        return record(lesson, scene, answer or lesson.app_file, virtual=virtual)


def step_of(lesson: Lesson, number: int) -> Step:
    """Return step *number* of *lesson*.

    Raises:
        RequestError: if there is no such step.

    """
    steps = lesson.steps
    if not 1 <= number <= len(steps):
        raise RequestError(
            f"Lesson {lesson.number} has steps 1 to {len(steps)}; "
            f"there is no step {number}."
        )
    return steps[number - 1]


def answer_of(
    lesson: Lesson, *, solution: bool = False, file: Path | None = None
) -> Path:
    """Return the file to work with: the *solution*, *file*, or the learner's own.

    Raises:
        RequestError: if it is missing.

    """
    answer = lesson.solution_file if solution else file or lesson.app_file
    if answer.is_file():
        return answer
    if answer == lesson.app_file:
        back = command("reset", lesson.number)
        raise RequestError(f"{answer} is missing. To restore the starter: {back}")
    raise RequestError(f"There is no file {answer}.")


def _now() -> str:
    """Return the current time in the format of the record."""
    return datetime.now(UTC).isoformat(timespec="seconds")
