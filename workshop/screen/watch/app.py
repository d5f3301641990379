"""Watch mode on the whole terminal: keys in, the state out."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar, TypeVar

from rich.console import RenderableType
from rich.text import Text
from rich.theme import Theme
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import AwaitMount

from workshop.actions.learner import LearnerActions
from workshop.actions.sessions import OpenSession
from workshop.commands import command
from workshop.grading import Verdict
from workshop.lesson import Lesson
from workshop.progress import State
from workshop.screen.console import mark
from workshop.screen.pages import again_lines
from workshop.screen.watch import texts, words
from workshop.screen.watch.controller import FAILURES, WatchController
from workshop.screen.watch.keys import KEYS, footer
from workshop.screen.watch.lessons import Lessons
from workshop.screen.watch.line_input import LineInput
from workshop.screen.watch.room import RoomState
from workshop.screen.watch.state import WatchState
from workshop.screen.watch.view import WatchView
from workshop.watch import Event, Finished

T = TypeVar("T")
_PRINTED_LINES = 200


class WatchApp(App[None]):
    """Watch mode on the full terminal, starting with *lesson*."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                f"{key.letter},{key.letter.upper()}"
                if key.letter.isalpha()
                else "question_mark",
                f"press('{key.action}')",
                key.word,
                # Bound with priority, so keys are handled in the order typed.
                priority=True,
            )
            for key in KEYS
        ),
        Binding("escape", "close", "close", priority=True),
        Binding("ctrl+c,ctrl+d", "quit", "quit", priority=True),
    ]

    def __init__(
        self, actions: LearnerActions, open_session: OpenSession, lesson: Lesson
    ) -> None:
        # Use the terminal's own colours, which the user can read.
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self.animation_level = "none"
        # Rich's default style has a black background: dark boxes on a light terminal.
        self.console.push_theme(Theme({"markdown.code": "bold cyan"}))
        self._actions = actions
        self._controller = WatchController(actions, open_session, lesson, self)
        self._said = ""
        self._said_at = ""
        """The content graded last when the message was shown, if known by then."""
        self._question: tuple[str, Mapping[str, Callable[[], None]]] | None = None
        """The question and, for each key that answers it, what to do."""
        self._scene = 0
        self._has_scenes = False
        self._recording = False
        self._ticket = 0
        self._printed: deque[str] = deque(maxlen=_PRINTED_LINES)
        self._printed_is_due = False
        self._view = WatchView()
        self._list_opens: AwaitMount | None = None
        self._event_loop: asyncio.AbstractEventLoop | None = None

    @property
    def lesson(self) -> Lesson:
        """The lesson on the screen."""
        return self._controller.now.lesson

    def compose(self) -> ComposeResult:
        """Fill the terminal with the view."""
        yield self._view

    def leave(self) -> bool:
        """Make the program exit soon. A signal handler may call this.

        Return False if the program has not started yet.
        """
        if self._event_loop is None:
            return False
        # A signal handler's action alone would not wake the waiting event loop.
        self._event_loop.call_soon_threadsafe(self.exit)
        return True

    def on_mount(self) -> None:
        """Open the first lesson."""
        self._event_loop = asyncio.get_running_loop()
        with self._controller.explained():
            self._controller.begin()

    # Keys

    async def action_press(self, action: str) -> None:
        """Carry out the action of a key."""
        self._controller.press(action)
        if self._list_opens is not None:
            # Characters typed right after the `l` already belong to the list.
            await self._list_opens
            self._list_opens = None

    def action_close(self) -> None:
        """Close the open text, and drop the messages."""
        self._controller.drop_message()
        self.close()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Pass letters to the list's filter while the list is open."""
        if action in ("press", "close") and len(self.screen_stack) > 1:
            return False
        return super().check_action(action, parameters)

    async def on_event(self, event: events.Event) -> None:
        """Take the next key as the answer when a question is open."""
        if isinstance(event, events.Key) and self._question is not None:
            self._answer(event.key)
            if event.key not in ("ctrl+c", "ctrl+d"):
                return
        await super().on_event(event)

    def _answer(self, key: str) -> None:
        assert self._question is not None
        action = self._question[1].get(key.lower())
        self._question = None
        if action is None:
            self.say("Nothing was changed.")
            return
        with self._controller.explained():
            action()

    # The face of the controller: what it has to show, and threads

    def post(self, task: Callable[[], None]) -> None:
        """Call *task* soon in the thread of the screen."""
        # The screen may be gone while a session is being closed.
        with contextlib.suppress(RuntimeError):
            self.call_later(task)

    def in_background(
        self,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[str], None],
    ) -> None:
        """Call *work* in a thread, then *done* or *failed* in that of the screen."""

        def run() -> None:
            try:
                result = work()
            except FAILURES as problem:
                self.post(partial(failed, str(problem)))
            else:
                self.post(partial(done, result))

        self.run_worker(run, thread=True)

    aside = in_background

    def show_room(self, before: RoomState) -> None:
        """Show what the room has told."""
        if self.is_open("poll"):
            self._controller.show_poll()
        self.redraw()

    def redraw(self) -> None:
        """Show the state as it is now."""
        now = self._controller.now
        keys = footer(
            running=now.running,
            passed=now.passed,
            serving=self._controller.is_serving,
            timeline=self._has_scenes,
            room=self._controller.room_keys,
        )
        # In one piece: a new word is never seen beside an old verdict.
        with self.batch_update():
            self._view.show(
                now,
                lessons=self._actions.lessons(),
                state=self._controller.progress,
                address=self._controller.address,
                said=self._said,
                question=self._question[0] if self._question else "",
                keys=keys,
                room=self._controller.in_room,
            )
            self._view.show_verdict(now, self._verdict)

    def _verdict(self) -> RenderableType:
        now = self._controller.now
        verdict = now.verdict
        if now.step is not None and now.step.verdict is not Verdict.PASSED:
            return words.report_on_step(now.lesson, now.step)
        if verdict is None and self.is_open("brief"):
            return Text("The verdict on your file will appear here.")
        if verdict is None:
            return texts.brief(now.lesson, self._controller.step)
        if verdict.passed:
            record = self._controller.progress.of(now.lesson.slug)
            again = again_lines(now.lesson, record)
            return words.congratulation(verdict, self._controller.following, again)
        return words.report(verdict)

    def say(self, text: str, *, trouble: bool = False) -> None:
        """Show what came of an action, until the save after the next verdict."""
        sign = mark("error") if trouble else mark("not tried")
        self._said = f"{sign} {text}"
        self._said_at = ""
        self.redraw()

    def ask(self, question: str, action: Callable[[], None]) -> None:
        """Show *question*; the next key is its answer."""
        self._question = f"{question}\ny: yes    any other key: no", {"y": action}
        self.redraw()

    def choose(
        self, question: str, letters: Sequence[str], action: Callable[[str], None]
    ) -> None:
        """Show *question*; the next key is a choice if it is one of *letters*."""
        shown = f"{question}\n{' '.join(letters)}: choose    any other key: not now"
        answers = {it.lower(): partial(action, it) for it in letters}
        self._question = shown, answers
        self.redraw()

    def ask_line(
        self, question: str, example: str, action: Callable[[str], None]
    ) -> None:
        """Ask for a line, and call *action* with it unless it is empty."""

        def take(line: str | None) -> None:
            if line is not None and line.strip():
                with self._controller.explained():
                    action(line)

        self._list_opens = self.push_screen(LineInput(question, example), take)

    def is_open(self, what: str) -> bool:
        """Whether the text with the name *what* is open."""
        return self._view.reading == what

    def read(self, what: str, title: str, text: RenderableType) -> None:
        """Open a text beside the verdict."""
        self._recording = False  # the learner reads something else instead
        self._view.read(what, title, text)
        if what == "hint":
            # The newest hint is the last.
            self._view.text.scroll_end(animate=False)

    def close(self) -> None:
        """Close the open text, and drop the message."""
        self._said = ""
        self._close_text()
        self.redraw()

    def _close_text(self) -> None:
        self._recording = False
        self._view.close()

    def show_lesson(self) -> None:
        """Show the lesson that was entered, with its brief if it was never graded."""
        self._close_text()
        self._said = ""
        with contextlib.suppress(*FAILURES):
            self._has_scenes = bool(self._actions.scenes(self.lesson))
        self.redraw()
        if not self._controller.progress.of(self.lesson.slug).verdicts:
            self._controller.brief()

    def show_event(self, event: Event, before: WatchState) -> None:
        """Show what *event* has changed."""
        if isinstance(event, Finished):
            self._drop_what_was_said_before(event.content)
            now = self._controller.now
            # A hint closes when its step passes, so that the verdict is visible.
            moved = before.verdict is not None and _current(before) != _current(now)
            ended = self.is_open("hint") and moved
            # What is read before a run closes when the next verdict arrives.
            covers = self._view.has_class("narrow") and before.verdict is not None
            reads = any(map(self.is_open, ("brief", "predict", "answer")))
            read = reads and (now.passed or covers)
            if ended or read:
                self._close_text()
            elif self.is_open("timeline"):
                self._record()
        self.redraw()

    def _drop_what_was_said_before(self, content: str) -> None:
        """Drop a message after the save that follows the one it was about."""
        if self._said_at not in ("", content):
            self._said = ""
        self._said_at = content

    def show_list(self) -> None:
        """Show all lessons and go to the chosen one."""

        def go(slug: str | None) -> None:
            for lesson in lessons:
                if lesson.slug == slug != self.lesson.slug:
                    with self._controller.explained():
                        self._controller.go(lesson)

        lessons = self._actions.lessons()
        progress = self._controller.progress
        self._list_opens = self.push_screen(
            Lessons(lessons, progress, self.lesson.slug), go
        )

    def show_keys(self) -> None:
        """Show all keys."""
        self._controller.toggle("keys", "Keys", texts.key_table)

    def show_timeline(self) -> None:
        """Record the first scene, or the next one if a timeline is open."""
        scenes = self._actions.scenes(self.lesson)
        more = self.is_open("timeline")
        self._scene = (self._scene + 1) % len(scenes) if more else 0
        self._recording = True
        self.say("Recording your app …")
        self._record()

    def _record(self) -> None:
        self._ticket += 1
        lesson, number, ticket = self.lesson, self._scene, self._ticket

        def record() -> RenderableType:
            scenes = self._actions.scenes(lesson)
            scene = scenes[number]
            found = self._actions.timeline(lesson, scene)
            return texts.timeline(found, scene.title, number + 1, len(scenes))

        def show(text: RenderableType) -> None:
            wanted = self._recording or self.is_open("timeline")
            if wanted and ticket == self._ticket:
                self._said = ""
                self.redraw()
                self.read("timeline", "Timeline", text)

        self.in_background(record, show, partial(self.say, trouble=True))

    def show_starting(self) -> None:
        """Show that the app is about to be served."""
        self._printed.clear()
        self.say("Starting the app …")

    def show_address(self) -> None:
        """Show what the app writes, and where it accepts connections once it does."""
        if self._controller.address:
            self._said = ""
        self.redraw()
        self.read("app", "Your app", self._served())

    def _served(self) -> RenderableType:
        return texts.served(self._controller.address, list(self._printed))

    def show_line(self, line: str) -> None:
        """Show a line of the served app, if its text is open."""
        self._printed.append(line)
        # One message at a time: an app that prints for ever stays harmless.
        if not self._printed_is_due:
            self._printed_is_due = True
            self.post(self._follow_printed)

    def _follow_printed(self) -> None:
        self._printed_is_due = False
        if self.is_open("app"):
            self._view.follow(self._served())


def _current(now: WatchState) -> int | None:
    """Return the number of the first step that has not passed."""
    current = now.verdict.current if now.verdict is not None else None
    return current.number if current is not None else None


def parting_words(state: State, lesson: Lesson) -> str:
    """Return what is printed after the screen is closed."""
    total = len(lesson.brief.sections)
    verdicts = state.of(lesson.slug).verdicts
    done = sum(verdicts.get(number) == "passed" for number in range(1, total + 1))
    return (
        f"Lesson {lesson.number} · {lesson.title}: {done} of {total} steps passed.\n"
        f"To continue: {command('watch', lesson.number)}"
    )
