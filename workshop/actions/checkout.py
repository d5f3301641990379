"""The actions behind the keys of watch mode: on files, servers and progress."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from workshop.actions.services import services_for_app, services_for_tests
from workshop.cli import place
from workshop.cli.debugging import debugging_environment
from workshop.cli.learner import now
from workshop.lesson import Lesson, LessonError
from workshop.processes.loopback import free_port, loopback
from workshop.processes.temporary import temporary_folder
from workshop.progress import ReplacementError, State, catch_up, reset, undo
from workshop.screen.keeping import replacement_lines
from workshop.screen.watch.actions import ActionError
from workshop.services import ServiceError

if TYPE_CHECKING:
    from workshop.actions.services import Choice
    from workshop.actions.serving import Served
    from workshop.progress import LessonRecord, Replacement, Store
    from workshop.scenario import Scene
    from workshop.timeline import Timeline
    from workshop.watch import Finished


class CheckoutActions:
    """The actions on the lessons of this checkout. Close it at the end.

    `workshop.screen.watch.actions.LearnerActions` describes them.
    """

    def __init__(
        self, database: Choice | None = None, store: Store | None = None
    ) -> None:
        self._database = database
        self._lessons = place.catalogue().lessons()
        self._store = store or place.store()
        self._snapshots = place.snapshots()
        self._turn = threading.Lock()
        self._starting = threading.Lock()
        self._services = ExitStack()
        self._entered: tuple[Path, Mapping[str, str]] | None = None
        self._serving = ExitStack()

    def close(self) -> None:
        """Stop every server, including one that is starting."""
        with self._starting:
            self.stop_serving()
        with self._turn:
            self._services.close()

    def lessons(self) -> Sequence[Lesson]:
        """Return the lessons of the course."""
        return self._lessons

    def state(self) -> State:
        """Return the learner's progress."""
        return self._store.load()

    def notes(self) -> Sequence[str]:
        """Return and clear the notes about the progress record."""
        notes = list(self._store.notes)
        self._store.notes.clear()
        return notes

    def enter(self, lesson: Lesson) -> Mapping[str, str]:
        """Start the services for *lesson*'s tests, and return their environment."""
        with self._turn:
            if self._entered is not None and self._entered[0] == lesson.folder:
                return self._entered[1]
            self._entered = None
            self._services.close()
            try:
                environment = self._services.enter_context(
                    services_for_tests(lesson, self._database, say=_nobody)
                )
            except (ServiceError, LessonError) as problem:
                raise ActionError(str(problem)) from None
            self._entered = lesson.folder, environment
            return environment

    def record(self, finished: Finished) -> None:
        """Record a verdict at once."""
        verdict = finished.verdict
        if not verdict.counts:
            return
        verdicts = {step.number: str(step.verdict) for step in verdict.steps}
        self._note(
            finished.lesson, lambda it: it.judge(verdicts, finished.content, now())
        )

    def next_hint(self, lesson: Lesson, step: int) -> int:
        """Record that one more hint of *step* was shown; return how many were."""
        rungs = len(lesson.steps[step - 1].hints)

        def more(state: State) -> int:
            hints = state.of(lesson.slug).hints
            hints[step] = min(hints.get(step, 0) + 1, rungs)
            return hints[step]

        return self._store.update(more)

    def note_shown(self, lesson: Lesson, step: int) -> None:
        """Record that the change for *step* was shown."""
        self._store.update(lambda state: state.of(lesson.slug).show(step, now()))

    def note_solution(self, lesson: Lesson) -> None:
        """Record that the solution was shown."""

        def note(state: State) -> None:
            record = state.of(lesson.slug)
            record.solution_seen = record.solution_seen or now()

        self._store.update(note)

    def reset(self, lesson: Lesson) -> str:
        """Replace the learner's file with the starter, and keep a copy."""
        return _told(lambda: reset(lesson, self._store, self._snapshots))

    def catch_up(self, lesson: Lesson, step: int) -> str:
        """Replace the learner's file with the start of *step*, and keep a copy."""
        return _told(lambda: catch_up(lesson, step, self._store, self._snapshots))

    def undo(self, lesson: Lesson) -> str:
        """Undo the last reset or catch-up."""
        return _told(lambda: undo(lesson, self._store, self._snapshots))

    def serve(
        self,
        lesson: Lesson,
        listen: Callable[[str], None],
        accept: Callable[[str], None],
    ) -> None:
        """Start to serve the learner's app. One at a time."""
        with self._starting:
            served = self._serve(lesson, listen)

        def wait() -> None:
            if served.wait_until_it_accepts():
                accept(served.address)

        threading.Thread(target=wait, daemon=True).start()

    def _serve(self, lesson: Lesson, listen: Callable[[str], None]) -> Served:
        from workshop.actions.serving import Served

        self.stop_serving()
        with ExitStack() as stack:
            try:
                # Each start begins with an empty database, as the tests do.
                scratch = stack.enter_context(temporary_folder("app"))
                environment = stack.enter_context(
                    services_for_app(lesson, self._database, scratch, say=listen)
                )
                host = loopback()
                served = Served(
                    lesson.folder,
                    host,
                    free_port(host),
                    environment={
                        **environment,
                        **debugging_environment("run", lesson.number, debug=False),
                    },
                    scratch=scratch,
                    listen=listen,
                )
            except (ServiceError, LessonError, OSError) as problem:
                raise ActionError(f"The app was not started: {problem}") from None
            stack.callback(served.close)
            with self._turn:
                self._serving = stack.pop_all()
        return served

    def stop_serving(self) -> None:
        """Stop the server, if it runs."""
        with self._turn:
            self._serving.close()

    def timelines(self, lesson: Lesson) -> Sequence[str]:
        """Return the titles of the scenes of *lesson* that can be recorded."""
        return [scene.title for scene in _scenes(lesson)]

    def timeline(self, lesson: Lesson, scene: int) -> Timeline:
        """Run a scene with the learner's app and return the recording."""
        from workshop.cli.timeline import record
        from workshop.scenario import NotRecorded, ScenarioRun

        wanted = _scenes(lesson)[scene]
        play = ScenarioRun(lesson.scenario_file, wanted.name, lesson.app_file)
        try:
            found = record(lesson, play)
        except (ServiceError, LessonError, OSError) as problem:
            raise ActionError(str(problem)) from None
        if isinstance(found, NotRecorded):
            raise ActionError(f"The app could not be recorded. {found.words}")
        return found.timeline

    def browse(self, lesson: Lesson) -> str:
        """Open the lesson's page in a browser and return its address."""
        for name in (f"{lesson.slug}/index.html", f"{lesson.slug}.html"):
            page = place.ROOT / "site" / "lessons" / name
            if page.is_file() and _has_window_browser():
                address = page.as_uri()
                # A browser that starts slowly must not block the keys.
                opening = threading.Thread(
                    target=webbrowser.open, args=(address,), daemon=True
                )
                opening.start()
                return address
        return ""

    def _note(self, slug: str, change: Callable[[LessonRecord], None]) -> None:
        self._store.update(lambda state: change(state.of(slug)))


def _scenes(lesson: Lesson) -> Sequence[Scene]:
    from workshop.scenario import ScriptError, read_scenes

    script = lesson.scenario_file
    if not script.is_file():
        return ()
    try:
        return read_scenes(script)
    except ScriptError as problem:
        raise ActionError(str(problem)) from None


def _told(action: Callable[[], Replacement]) -> str:
    try:
        return "\n".join(replacement_lines(action(), undo="press u."))
    except (ReplacementError, LessonError) as problem:
        raise ActionError(str(problem)) from None


def _has_window_browser() -> bool:
    """Whether a page would open in a window, and not in this terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _nobody(sentence: str) -> None:
    """Print nothing, because the screen has no place for the services."""
