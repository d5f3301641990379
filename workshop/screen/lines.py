"""Watch mode as plain lines: in a pipe, on a dumb terminal, or on request.

The keys are those of the full screen, each typed on a line of its own.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.text import Text

from workshop.lesson import Lesson, LessonError, Step
from workshop.screen.console import mark
from workshop.screen.pages import print_list, short
from workshop.screen.report import print_verdict
from workshop.screen.watch import texts, words
from workshop.screen.watch.actions import (
    ActionError,
    LearnerActions,
    OpenSession,
    Session,
)
from workshop.screen.watch.keys import KEYS
from workshop.screen.watch.state import WatchState, following, take
from workshop.timeline import TimelineText
from workshop.watch import (
    Ended,
    Event,
    Finished,
    Missing,
    Started,
    Trouble,
    Watching,
)
from workshop.watch.session import BY_KEY

_ACTIONS = {word: key.action for key in KEYS for word in (key.letter, key.word)}
# On Windows a wait without a timeout cannot be interrupted.
_WAIT_SECONDS = 0.5 if sys.platform == "win32" else None


class Lines:
    """Watch mode in lines, starting with *lesson*.

    Typed lines, events from the engine and the served app's output go through one
    queue, so that no output is interrupted by another.
    """

    def __init__(
        self,
        actions: LearnerActions,
        open_session: OpenSession,
        lesson: Lesson,
        console: Console,
    ) -> None:
        self._actions = actions
        self._open_session = open_session
        self._session: Session | None = None
        self._now = WatchState(lesson)
        self._console = console
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._asked: Callable[[], None] | None = None
        self._is_serving = False
        self._start = 0
        self._ending = False
        self._left = False

    @property
    def lesson(self) -> Lesson:
        """The current lesson."""
        return self._now.lesson

    def run(self, typed: Iterable[str]) -> bool:
        """Run until the user quits or the lines *typed* end.

        Return whether the last verdict was a pass. At the end of input, a run in
        progress is finished first.
        """
        self._enter(self._now.lesson)
        threading.Thread(target=self._read, args=(typed,), daemon=True).start()
        while not self._left:
            try:
                task = self._inbox.get(timeout=_WAIT_SECONDS)
            except queue.Empty:
                continue
            try:
                task()
            except (ActionError, LessonError, OSError) as problem:
                if isinstance(problem, BrokenPipeError):
                    raise
                self._say(f"{mark('error')} {problem}")
        return self._now.passed

    def _read(self, typed: Iterable[str]) -> None:
        # A terminal that is gone raises an error instead of ending the input.
        with contextlib.suppress(OSError):
            for line in typed:
                self._inbox.put(lambda line=line: self._do(line))  # type: ignore[misc]
        self._inbox.put(self._end)

    def _end(self) -> None:
        """Leave when no run is in progress."""
        self._ending = True
        now = self._now
        settled = now.verdict is not None and not now.stale
        if not now.running and (settled or now.missing or now.trouble or now.ended):
            self._left = True

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)

    # Events from the engine

    def _listen(self, event: Event) -> None:
        self._inbox.put(lambda: self._take(event))

    def _take(self, event: Event) -> None:
        before, self._now = self._now, take(self._now, event)
        if event.lesson != self._now.lesson.slug:
            return
        match event:
            case Watching(path=path, polling=polling, reason=reason):
                way = f" by polling: {reason}" if polling else ""
                self._say(f"Watching {short(path)}{way}")
            case Started(number_of_tests=tests):
                self._say(f"Checking {tests} tests …")
            case Finished():
                if self._now is not before:
                    self._show(event)
            case Ended(reason=reason) if reason == BY_KEY:
                self._say("Run ended.")
            case Missing(path=path):
                self._say(
                    f"{mark('error')} {short(path)} is missing. Save it again, or "
                    "type x for the starter."
                )
            case Trouble(text=text):
                self._say(f"{mark('error')} {text}")
        if self._ending:
            self._end()

    def _show(self, event: Finished) -> None:
        verdict, lesson = event.verdict, self._now.lesson
        # Written at once, so that a reader sees all of it or nothing.
        with self._console:
            self._console.print()
            print_verdict(verdict, lesson.app_file, console=self._console, own=False)
            if verdict.passed:
                then = self._following()
                on = f"n goes on to lesson {then.number}, " if then else ""
                self._say(f"Type {on}s for the solution, q to quit.")
            else:
                self._say("Type h for a hint, ? for all keys, q to quit.")
        self._actions.record(event)
        for note in self._actions.notes():
            self._say(note)

    # Lessons

    @property
    def _step(self) -> Step:
        """The current step: the first that has not passed."""
        now = self._now
        if now.verdict is not None and now.verdict.current is not None:
            return now.lesson.steps[now.verdict.current.number - 1]
        steps = now.lesson.steps
        record = self._actions.state().of(now.lesson.slug)
        return steps[record.current_step(len(steps)) - 1]

    def _is_finished(self, lesson: Lesson) -> bool:
        record = self._actions.state().of(lesson.slug)
        return record.is_finished(len(lesson.brief.sections))

    def _following(self) -> Lesson | None:
        lessons = list(self._actions.lessons())
        unfinished = {it.slug for it in lessons if not self._is_finished(it)}
        return following(self._now.lesson, lessons, unfinished)

    def _enter(self, lesson: Lesson) -> None:
        self._stop_serving()
        self._now = WatchState(lesson)
        environment = self._actions.enter(lesson)
        if self._session is None:
            self._session = self._open_session(lesson, environment, self._listen)
            self._session.start()
        else:
            self._session.change(lesson, environment)
        # The libraries are imported in the meantime.
        self._console.print(Text(f"Lesson {lesson.number} · {lesson.title}", "bold"))
        self._console.print()
        self._console.print(texts.brief(lesson, self._step))

    # Input

    def _do(self, line: str) -> None:
        word, _, rest = line.strip().lower().partition(" ")
        asked, self._asked = self._asked, None
        if asked is not None:
            if word in ("y", "yes"):
                asked()
            else:
                self._say("Nothing was changed.")
            return
        action = _ACTIONS.get(line.strip().lower()) or _ACTIONS.get(word)
        if not word:
            return
        if action is None:
            self._say(f"There is no key {word!r}. Type ? for all keys.")
        elif action == "list" and rest:
            self._go(rest)
        else:
            getattr(self, f"_{action}")()

    def _ask(self, question: str, action: Callable[[], None]) -> None:
        self._asked = action
        self._say(f"{question} Type y for yes.")

    def _go(self, wanted: str) -> None:
        number = wanted.strip().zfill(2)
        for lesson in self._actions.lessons():
            if number in (lesson.number, lesson.slug):
                self._enter(lesson)
                return
        self._say(f"There is no lesson {wanted!r}. Type l for all lessons.")

    def _next(self) -> None:
        lesson = self._now.lesson
        if not self._now.passed and not self._is_finished(lesson):
            step = self._step
            self._say(
                f"Step {step.number} has not passed yet: {step.title}. "
                "Type l and a number to go to any lesson."
            )
            return
        then = self._following()
        if then is None:
            self._say("You have finished every lesson. Type l for all lessons.")
        else:
            self._enter(then)

    def _list(self) -> None:
        print_list(self._actions.lessons(), self._actions.state())
        self._say("To go to one: l and its number, like l 03.")

    def _hint(self) -> None:
        if self._now.passed:
            self._say("Every step has passed. Type s for the solution, n to go on.")
            return
        lesson, step = self._now.lesson, self._step
        record = self._actions.state().of(lesson.slug)
        seen = record.hints.get(step.number, 0)
        if seen < len(step.hints):
            self._actions.next_hint(lesson, step.number)
        elif not record.has_before_them(step.number):
            self._ask(
                f"Show the change for step {step.number}? The step is marked as shown.",
                lambda: self._show_step(lesson, step),
            )
            return
        self._read_hints(lesson, step)

    def _show_step(self, lesson: Lesson, step: Step) -> None:
        self._actions.note_shown(lesson, step.number)
        self._read_hints(lesson, step)

    def _read_hints(self, lesson: Lesson, step: Step) -> None:
        record = self._actions.state().of(lesson.slug)
        seen = record.hints.get(step.number, 0)
        shown = record.has_before_them(step.number)
        self._say(f"Step {step.number} · {step.title}")
        self._console.print(texts.hints(lesson, step, seen, shown=shown))

    def _solution(self) -> None:
        seen = self._actions.state().of(self._now.lesson.slug).solution_seen
        if seen or self._now.passed:
            self._show_solution()
        else:
            self._ask(words.SHOW_IT_ALL, self._show_solution)

    def _show_solution(self) -> None:
        lesson = self._now.lesson
        self._console.print(texts.solution(lesson))
        self._actions.note_solution(lesson)

    def _brief(self) -> None:
        self._console.print(texts.brief(self._now.lesson, self._step))

    def _docs(self) -> None:
        where = self._actions.browse(self._now.lesson)
        if where:
            self._say(f"Opened in your browser: {where}")
        else:
            self._console.print(texts.page(self._now.lesson))

    def _reset(self) -> None:
        lesson = self._now.lesson
        self._ask(
            f"Put the starter back as {short(lesson.app_file)}? Your file is kept.",
            lambda: self._say(self._actions.reset(lesson)),
        )

    def _catch_up(self) -> None:
        lesson, step = self._now.lesson, self._step
        self._ask(
            f"Replace your file with the start of step {step.number}? Yours is kept.",
            lambda: self._say(self._actions.catch_up(lesson, step.number)),
        )

    def _undo(self) -> None:
        self._say(self._actions.undo(self._now.lesson))

    def _rerun(self) -> None:
        if self._session is not None:
            self._session.rerun()

    def _end_run(self) -> None:
        if self._session is not None and self._now.running:
            self._session.end_run()
        else:
            self._say("No run is in progress. Type r to check again.")

    def _timeline(self) -> None:
        lesson = self._now.lesson
        titles = self._actions.timelines(lesson)
        if not titles:
            self._say("This lesson has no scene to record.")
        for scene, title in enumerate(titles):
            self._console.print(
                TimelineText([("", self._actions.timeline(lesson, scene))], title=title)
            )
            self._console.print()

    def _serve(self) -> None:
        if self._is_serving:
            self._stop_serving()
            self._say("The app is stopped.")
            return
        self._start += 1
        start = self._start

        def hear(line: str) -> None:
            self._inbox.put(lambda: self._show_line(line))

        def accept(address: str) -> None:
            self._inbox.put(lambda: self._show_address(start, address))

        self._actions.serve(self._now.lesson, hear, accept)
        self._is_serving = True
        self._say("Starting the app … (a stops it)")

    def _show_address(self, start: int, address: str) -> None:
        if self._is_serving and start == self._start:
            self._say(f"App: {address}/docs (a stops it)")

    def _show_line(self, line: str) -> None:
        said = Text.assemble("app: ", Text.from_ansi(line))
        self._console.print(said, soft_wrap=True)

    def _stop_serving(self) -> None:
        if self._is_serving:
            self._is_serving = False
            self._actions.stop_serving()

    def _keys(self) -> None:
        for key in KEYS:
            self._say(f"{key.letter}  {key.word:<9} {key.sentence}")
        self._say("Type the letter or the word, then Enter. Saving the file checks it.")

    def _leave(self) -> None:
        self._left = True
