"""Watch mode as plain lines: in a pipe, on a dumb terminal, or on request.

The keys are those of the full screen, each typed on a line of its own.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from rich.console import Console, RenderableType
from rich.text import Text

from workshop.actions.learner import LearnerActions
from workshop.actions.sessions import OpenSession
from workshop.lesson import Lesson
from workshop.screen.console import mark
from workshop.screen.pages import print_list, short
from workshop.screen.report import print_verdict
from workshop.screen.watch import texts
from workshop.screen.watch.controller import FAILURES, WatchController
from workshop.screen.watch.keys import KEYS
from workshop.screen.watch.room import RoomState, changes
from workshop.screen.watch.state import WatchState
from workshop.timeline import TimelineText
from workshop.watch import (
    Ended,
    Event,
    Finished,
    Missing,
    Started,
    StepJudged,
    Trouble,
    Watching,
)
from workshop.watch.session import BY_KEY

T = TypeVar("T")
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
        self._console = console
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._question: Callable[[str], bool] | None = None
        """Takes the next line; returns whether it was an answer."""
        self._asides = 0
        self._ending = False
        self._left = False
        self._controller = WatchController(actions, open_session, lesson, self)

    @property
    def lesson(self) -> Lesson:
        """The current lesson."""
        return self._controller.now.lesson

    def run(self, typed: Iterable[str]) -> bool:
        """Run until the user quits or the lines *typed* end.

        Return whether the last verdict was a pass. At the end of input, a run in
        progress is finished first.
        """
        self._controller.begin()
        threading.Thread(target=self._read, args=(typed,), daemon=True).start()
        while not self._left:
            try:
                task = self._inbox.get(timeout=_WAIT_SECONDS)
            except queue.Empty:
                continue
            with self._controller.explained():
                task()
        return self._controller.now.passed

    def _read(self, typed: Iterable[str]) -> None:
        # A terminal that is gone raises an error instead of ending the input.
        with contextlib.suppress(OSError):
            for line in typed:
                self.post(partial(self._do, line))
        self.post(self._end)

    def _end(self) -> None:
        """Leave when no run is in progress."""
        self._ending = True
        now = self._controller.now
        settled = now.verdict is not None and not now.stale
        idle = not now.running and not self._asides
        if idle and (settled or now.missing or now.trouble or now.ended):
            self._left = True

    # What is typed

    def _do(self, line: str) -> None:
        whole = line.strip().lower()
        word, _, rest = whole.partition(" ")
        question, self._question = self._question, None
        if question is not None:
            if not question(line.strip()):
                self.say("Nothing was changed.")
            return
        if not word:
            return
        action = _ACTIONS.get(whole) or _ACTIONS.get(word)
        if action is None:
            self.say(f"There is no key {word!r}. Type ? for all keys.")
        elif action == "list" and rest:
            self._go(rest)
        elif action == "room" and rest:
            self._controller.join(line.strip().partition(" ")[2])
        else:
            self._controller.press(action)

    def _go(self, wanted: str) -> None:
        number = wanted.strip().zfill(2)
        for lesson in self._actions.lessons():
            if number in (lesson.number, lesson.slug):
                self._controller.go(lesson)
                return
        self.say(f"There is no lesson {wanted!r}. Type l for all lessons.")

    # The face of the controller: what it has to show

    def post(self, task: Callable[[], None]) -> None:
        """Call *task* when those before it are done."""
        self._inbox.put(task)

    def in_background(
        self,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[str], None],
    ) -> None:
        """Call *work*, and *done* with its result: lines wait for each other."""
        done(work())

    def say(self, text: str, *, trouble: bool = False) -> None:
        """Print a line."""
        text = f"{mark('error')} {text}" if trouble else text
        self._console.print(Text(text), soft_wrap=True)

    def ask(self, question: str, action: Callable[[], None]) -> None:
        """Print *question*; the next line is its answer."""

        def take(line: str) -> bool:
            if line.lower() not in ("y", "yes"):
                return False
            action()
            return True

        self._question = take
        self.say(f"{question} Type y for yes.")

    def choose(
        self, question: str, letters: Sequence[str], action: Callable[[str], None]
    ) -> None:
        """Print *question*; the next line is its answer."""

        def take(line: str) -> bool:
            if line.upper() not in letters:
                return False
            action(line.upper())
            return True

        self._question = take
        self.say(f"{question} Type {', '.join(letters)}, or Enter for no vote.")

    def ask_line(
        self, question: str, example: str, action: Callable[[str], None]
    ) -> None:
        """Print *question*; the next line is its answer."""

        def take(line: str) -> bool:
            if line:
                action(line)
            return bool(line)

        self._question = take
        self.say(f"{question}. For example: {example}")

    def aside(
        self,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[str], None],
    ) -> None:
        """Call *work* in a thread, so that no verdict waits for it."""
        self._asides += 1

        def run() -> None:
            try:
                result = work()
            except FAILURES as problem:
                self.post(partial(come_back, partial(failed, str(problem))))
            else:
                self.post(partial(come_back, partial(done, result)))

        def come_back(then: Callable[[], None]) -> None:
            self._asides -= 1
            then()
            if self._ending:
                self._end()

        threading.Thread(target=run, daemon=True).start()

    def is_open(self, what: str) -> bool:
        """Whether *what* continues. Any other text is printed again."""
        return what in ("hint", "predict")

    def read(self, what: str, title: str, text: RenderableType) -> None:
        """Print a text."""
        self._console.print(text)

    def close(self) -> None:
        """Leave what was printed where it is."""

    def redraw(self) -> None:
        """Leave what was printed as it is."""

    def show_lesson(self) -> None:
        """Print the lesson's title and brief."""
        lesson = self.lesson
        self._console.print(Text(f"Lesson {lesson.number} · {lesson.title}", "bold"))
        self._console.print()
        self._console.print(texts.brief(lesson, self._controller.step))

    def show_event(self, event: Event, before: WatchState) -> None:
        """Print what *event* tells."""
        if event.lesson == self.lesson.slug:
            self._print_event(event, before)
        for note in self._actions.notes():
            self.say(note)
        if self._ending:
            self._end()

    def _print_event(self, event: Event, before: WatchState) -> None:
        match event:
            case Watching(path=path, polling=polling, reason=reason):
                way = f" by polling: {reason}" if polling else ""
                self.say(f"Watching {short(path)}{way}")
            case Started(number_of_tests=tests):
                self.say(f"Checking {tests} tests …")
            case StepJudged(step=step):
                if self._controller.now is not before:
                    word = str(step.verdict)
                    self.say(
                        f"{mark(word)} Step {step.number} · {step.title}: {word}. "
                        "Checking the others …"
                    )
            case Finished():
                if self._controller.now is not before:
                    self._print_verdict(event)
            case Ended(reason=reason) if reason == BY_KEY:
                self.say("Run ended.")
            case Missing(path=path):
                self.say(
                    f"{mark('error')} {short(path)} is missing. Save it again, or "
                    "type x for the starter."
                )
            case Trouble(text=text):
                self.say(text, trouble=True)

    def _print_verdict(self, event: Finished) -> None:
        verdict, file = event.verdict, self.lesson.app_file
        # Written at once, so that a reader sees all of it or nothing.
        with self._console:
            self._console.print()
            # Without input no key can be typed, so the commands are shown instead.
            print_verdict(verdict, file, console=self._console, own=self._ending)
            if self._ending:
                return
            if verdict.passed:
                then = self._controller.following
                on = f"n for lesson {then.number}, " if then else ""
                self.say(f"Type {on}s for the solution, q to quit.")
            else:
                self.say("Type h for a hint, ? for all keys, q to quit.")

    def show_room(self, before: RoomState) -> None:
        """Print what is new in the room."""
        for line in changes(before, self._controller.in_room, self.lesson):
            self.say(line)

    def show_list(self) -> None:
        """Print all lessons."""
        print_list(self._actions.lessons(), self._controller.progress)
        self.say("To go to one: l and its number, such as l 03.")

    def show_timeline(self) -> None:
        """Print the timelines of all scenes."""
        lesson = self.lesson
        for scene in self._actions.scenes(lesson):
            found = self._actions.timeline(lesson, scene)
            self._console.print(TimelineText([("", found)], title=scene.title))
            self._console.print()

    def show_starting(self) -> None:
        """Print that the app is being started."""
        self.say("Starting the app … (a stops it)")

    def show_address(self) -> None:
        """Print where the app is served, if it accepts connections already."""
        if self._controller.address:
            self.say(f"App: {self._controller.address}/docs (a stops it)")

    def show_line(self, line: str) -> None:
        """Print a line that the served app has written."""
        said = Text.assemble("app: ", Text.from_ansi(line))
        self.post(partial(self._console.print, said, soft_wrap=True))

    def show_keys(self) -> None:
        """Print all keys."""
        for key in KEYS:
            self.say(f"{key.letter}  {key.word:<9} {key.sentence}")
        self.say("Type the letter or the word, then Enter. Saving the file checks it.")

    def leave(self) -> None:
        """Leave watch mode."""
        self._left = True
