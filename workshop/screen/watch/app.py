"""The full-screen application: handles keys and events, and draws the state."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from rich.console import RenderableType
from rich.text import Text
from rich.theme import Theme
from textual import events, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType

from workshop.lesson import Lesson, LessonError, Step
from workshop.progress import State
from workshop.screen.console import command, mark
from workshop.screen.pages import again_lines, short
from workshop.screen.watch import texts, words
from workshop.screen.watch.actions import (
    ActionError,
    LearnerActions,
    OpenSession,
    Session,
)
from workshop.screen.watch.keys import KEYS, footer
from workshop.screen.watch.lessons import Lessons, standing
from workshop.screen.watch.messages import (
    Entered,
    Logged,
    NotEntered,
    NotServed,
    Recorded,
    Said,
    Served,
    Told,
)
from workshop.screen.watch.state import WatchState, following, take
from workshop.screen.watch.view import WatchView
from workshop.watch import Event, Finished

_LOG_LINES = 200
_ON_THE_VERDICT = {"close", *(key.action for key in KEYS)}


class WatchApp(App[None]):
    """Watch mode on the full terminal, starting with *lesson*."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                f"{key.letter},{key.letter.upper()}"
                if key.letter.isalpha()
                else "question_mark",
                key.action,
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
        self._open_session = open_session
        self._session: Session | None = None
        self._entered = ""
        self._now = WatchState(lesson)
        self._state: State = actions.state()
        self._said = ""
        self._said_at = ""
        """The content graded last when the message was shown, if known by then."""
        self._question: tuple[str, Callable[[], None]] | None = None
        self._address = ""
        self._is_serving = False
        self._start = 0
        self._scene = 0
        self._has_scenes = False
        self._recording = False
        self._ticket = 0
        self._lines: deque[str] = deque(maxlen=_LOG_LINES)
        self._log_told = False
        self._board = WatchView()
        self._event_loop: asyncio.AbstractEventLoop | None = None

    @property
    def lesson(self) -> Lesson:
        """The lesson on the screen."""
        return self._now.lesson

    def compose(self) -> ComposeResult:
        """Fill the terminal with the board."""
        yield self._board

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
        self._go(self._now.lesson)

    def _draw(self) -> None:
        """Draw the current state."""
        now = self._now
        keys = footer(
            running=now.running,
            passed=now.passed,
            serving=self._is_serving,
            timeline=self._has_scenes,
        )
        question = self._question[0] if self._question else ""
        # Update everything at once: a new status never stands beside an old verdict.
        with self.batch_update():
            self._board.show(
                now,
                lessons=self._actions.lessons(),
                state=self._state,
                address=self._address,
                said=self._said,
                question=question,
                keys=keys,
            )
            self._board.show_verdict(now, self._verdict)

    def _verdict(self) -> RenderableType:
        now = self._now
        verdict = now.verdict
        if verdict is None and self._board.reading == "brief":
            return Text("The verdict on your file will appear here.")
        if verdict is None:
            return texts.brief(now.lesson, self._step)
        if verdict.passed:
            again = again_lines(now.lesson, self._state.of(now.lesson.slug))
            return words.congratulation(verdict, self._following(), again)
        return words.report(verdict)

    @property
    def _step(self) -> Step:
        """The current step: the first that has not passed."""
        now = self._now
        steps = now.lesson.steps
        if now.verdict is not None:
            current = now.verdict.current
            return steps[current.number - 1] if current else steps[-1]
        record = self._state.of(now.lesson.slug)
        return steps[record.current_step(len(steps)) - 1]

    def _following(self) -> Lesson | None:
        lessons = list(self._actions.lessons())
        unfinished = {
            it.slug for it in lessons if standing(it, self._state) != "finished"
        }
        return following(self._now.lesson, lessons, unfinished)

    # Events from the engine

    def _listen(self, event: Event) -> None:
        """Receive an event in the engine's thread."""
        if isinstance(event, Finished):
            self._actions.record(event)
        # The screen may already be closed while the engine shuts down.
        with contextlib.suppress(RuntimeError):
            self.post_message(Told(event))

    def on_told(self, message: Told) -> None:
        """Apply an event from the engine to the state."""
        before = self._now
        self._now = take(before, message.event)
        if isinstance(message.event, Finished):
            self._state = self._actions.state()
            self._drop_what_was_said_before(message.event.content)
            # A hint closes when its step passes, so that the verdict is visible.
            ended = self._board.reading == "hint" and self._moved(before)
            # A brief closes when the verdict on the next save arrives.
            covers = self._board.has_class("narrow") and before.verdict is not None
            read = self._board.reading == "brief" and (self._now.passed or covers)
            if ended or read:
                self._close()
            elif self._board.reading == "timeline":
                self._record_again()
        self._draw()

    def _drop_what_was_said_before(self, content: str) -> None:
        """Drop a message after the save that follows the one it was about."""
        if self._said_at not in ("", content):
            self._said = ""
        self._said_at = content

    def _moved(self, before: WatchState) -> bool:
        if before.verdict is None or self._now.verdict is None:
            return False
        old, new = before.verdict.current, self._now.verdict.current
        return (old and old.number) != (new and new.number)

    # Changing the lesson

    @work(thread=True)
    def _enter(self, lesson: Lesson) -> None:
        """Start the services of *lesson*; that may take seconds."""
        try:
            environment = self._actions.enter(lesson)
        except ActionError as problem:
            self.post_message(NotEntered(lesson, str(problem)))
        else:
            self.post_message(Entered(lesson, environment))

    def on_not_entered(self, message: NotEntered) -> None:
        """Show why the tests cannot be run."""
        if message.lesson.slug == self._now.lesson.slug:
            self._now = replace(self._now, trouble=message.why)
            self._draw()

    def on_entered(self, message: Entered) -> None:
        """Switch the engine to the lesson."""
        if message.lesson.slug != self._now.lesson.slug:
            return  # the user has already gone to another lesson
        self._entered = message.lesson.slug
        if self._session is None:
            self._session = self._open_session(
                message.lesson, message.environment, self._listen
            )
            self._session.start()
        else:
            self._session.change(message.lesson, message.environment)

    def _go(self, lesson: Lesson) -> None:
        try:
            _ = lesson.steps  # read now, so that an error keeps the old lesson open
        except LessonError as problem:
            self._say(str(problem), trouble=True)
            return
        self._stop_serving()
        self._close()
        self._said = ""
        self._now = WatchState(lesson)
        with contextlib.suppress(ActionError):
            self._has_scenes = bool(self._actions.timelines(lesson))
        self._draw()
        if not self._state.of(lesson.slug).verdicts:
            self.action_brief()
        self._enter(lesson)

    # Texts beside the verdict

    def _read(self, what: str, title: str, text: RenderableType) -> None:
        self._recording = False  # opening another text cancels the recording
        self._board.read(what, title, text)

    def _close(self) -> None:
        self._recording = False
        self._board.close()

    def action_close(self) -> None:
        """Close the open text, and drop the message."""
        self._said = ""
        self._close()
        self._draw()

    def _toggle(
        self, what: str, title: str, text: Callable[[], RenderableType]
    ) -> None:
        if self._board.reading == what:
            self.action_close()
            return
        try:
            self._read(what, title, text())
        except (OSError, LessonError) as problem:
            self._say(str(problem), trouble=True)

    def action_brief(self) -> None:
        """Show what the lesson and the step are about."""
        lesson, step = self._now.lesson, self._step
        self._toggle("brief", "Brief", lambda: texts.brief(lesson, step))

    def action_keys(self) -> None:
        """Show all keys."""
        self._toggle("keys", "Keys", texts.key_table)

    def action_solution(self) -> None:
        """Show the solution; ask first if some step has not passed."""
        self._state = self._actions.state()
        seen = self._state.of(self._now.lesson.slug).solution_seen
        if seen or self._now.passed or self._board.reading == "solution":
            self._show_solution()
        else:
            self._ask(words.SHOW_IT_ALL, self._show_solution)

    def _show_solution(self) -> None:
        lesson = self._now.lesson
        self._toggle("solution", "The solution", lambda: texts.solution(lesson))
        if self._board.reading == "solution":
            self._actions.note_solution(lesson)

    def action_hint(self) -> None:
        """Show the hints seen so far, or one more if they are open."""
        if self._now.passed:
            self._say("Every step has passed. s shows the solution, n goes on.")
            return
        # The user may have asked for hints in another terminal too.
        self._state = self._actions.state()
        lesson, step = self._now.lesson, self._step
        record = self._state.of(lesson.slug)
        seen = record.hints.get(step.number, 0)
        if self._board.reading == "hint" or seen == 0:
            if seen < len(step.hints):
                seen = self._actions.next_hint(lesson, step.number)
                self._state = self._actions.state()
            elif not self._is_shown(step):
                self._ask(
                    f"Show the change for step {step.number}? The step is then marked "
                    "as shown.",
                    self._show_step,
                )
                return
        self._read_hints(lesson, step)

    def _is_shown(self, step: Step) -> bool:
        record = self._state.of(self._now.lesson.slug)
        return record.has_before_them(step.number)

    def _show_step(self) -> None:
        lesson, step = self._now.lesson, self._step
        self._actions.note_shown(lesson, step.number)
        self._state = self._actions.state()
        self._read_hints(lesson, step)

    def _read_hints(self, lesson: Lesson, step: Step) -> None:
        seen = self._state.of(lesson.slug).hints.get(step.number, 0)
        text = texts.hints(lesson, step, seen, shown=self._is_shown(step))
        self._read("hint", f"Hints for step {step.number}", text)
        # The newest hint is the last.
        self._board.text.scroll_end(animate=False)

    def action_docs(self) -> None:
        """Open the lesson's page: in a browser if possible, else here."""
        if self._board.reading == "docs":
            self.action_close()
            return
        lesson = self._now.lesson
        where = self._actions.browse(lesson)
        if where:
            self._say(f"Opened in your browser: {where}")
        else:
            self._toggle("docs", "Page", lambda: texts.page(lesson))

    # Actions

    def _say(self, text: str, *, trouble: bool = False) -> None:
        sign = mark("error") if trouble else mark("not tried")
        self._said = f"{sign} {text}"
        self._said_at = ""
        self._draw()

    def on_said(self, message: Said) -> None:
        """Show the result of an action."""
        self._say(message.text, trouble=message.trouble)

    def _ask(self, question: str, action: Callable[[], None]) -> None:
        self._question = question, action
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Pass letters to the list's filter while the list is open."""
        if action in _ON_THE_VERDICT and len(self.screen_stack) > 1:
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
        action = self._question[1]
        self._question = None
        if key.lower() != "y":
            self._say("Nothing was changed.")
            return
        try:
            action()
        except (ActionError, LessonError, OSError) as problem:
            self._say(str(problem), trouble=True)

    def action_next(self) -> None:
        """Go to the next lesson if this one has passed."""
        lesson = self._now.lesson
        if not self._now.passed and standing(lesson, self._state) != "finished":
            step = self._step
            self._say(
                f"Step {step.number} has not passed yet: {step.title}. "
                "l goes to any lesson."
            )
            return
        then = self._following()
        if then is None:
            self._say("You have finished every lesson. l goes to any of them.")
        else:
            self._go(then)

    async def action_list(self) -> None:
        """Show all lessons and go to the chosen one."""

        def chosen(slug: str | None) -> None:
            for lesson in self._actions.lessons():
                if lesson.slug == slug and slug != self._now.lesson.slug:
                    self._go(lesson)

        self._state = self._actions.state()
        lessons = self._actions.lessons()
        here = self._now.lesson.slug
        # Characters typed right after the `l` already belong to the list.
        await self.push_screen(Lessons(lessons, self._state, here), chosen)

    def action_reset(self) -> None:
        """Ask, then restore the starter."""
        lesson = self._now.lesson
        self._ask(
            f"Put the starter back as {short(lesson.app_file)}? "
            "Your file is kept, and u brings it back.",
            lambda: self._say(self._actions.reset(lesson)),
        )

    def action_catch_up(self) -> None:
        """Ask, then replace the file with the start of the step."""
        lesson, step = self._now.lesson, self._step
        self._ask(
            f"Replace your file with the start of step {step.number}? "
            "Your file is kept, and u brings it back.",
            lambda: self._say(self._actions.catch_up(lesson, step.number)),
        )

    def action_undo(self) -> None:
        """Undo the last reset or catch-up."""
        try:
            self._say(self._actions.undo(self._now.lesson))
        except ActionError as problem:
            self._say(str(problem), trouble=True)

    def action_rerun(self) -> None:
        """Grade again; if the tests could not be started, try that again."""
        if self._session is not None and self._entered == self._now.lesson.slug:
            self._session.rerun()
        else:
            self._now = replace(self._now, trouble="")
            self._draw()
            self._enter(self._now.lesson)

    def action_end_run(self) -> None:
        """Stop the run in progress."""
        if self._session is not None and self._now.running:
            self._session.end_run()
        else:
            self._say("No run is in progress. r checks again.")

    def action_timeline(self) -> None:
        """Show what the event loop did in a scene, then in the next one."""
        try:
            scenes = self._actions.timelines(self._now.lesson)
        except ActionError as problem:
            self._say(str(problem), trouble=True)
            return
        if not scenes:
            self._say("This lesson has no scene to record.")
            return
        more = self._board.reading == "timeline"
        self._scene = (self._scene + 1) % len(scenes) if more else 0
        self._recording = True
        self._say("Recording your app …")
        self._record_again()

    def _record_again(self) -> None:
        self._ticket += 1
        self._record(self._now.lesson, self._scene, self._ticket)

    @work(thread=True, group="timeline")
    def _record(self, lesson: Lesson, scene: int, ticket: int) -> None:
        try:
            titles = self._actions.timelines(lesson)
            found = self._actions.timeline(lesson, scene)
        except ActionError as problem:
            self.post_message(Said(str(problem), trouble=True))
            return
        text = texts.timeline(found, titles[scene], scene + 1, len(titles))
        self.post_message(Recorded(ticket, text))

    def on_recorded(self, message: Recorded) -> None:
        """Show a recording, unless another one is wanted by now."""
        wanted = self._recording or self._board.reading == "timeline"
        if wanted and message.ticket == self._ticket:
            self._said = ""
            self._draw()
            self._read("timeline", "Timeline", message.text)

    # The learner's app, served

    def action_serve(self) -> None:
        """Serve the app and show its address, or stop serving it."""
        if self._is_serving:
            self._stop_serving()
            self._say("The app is stopped.")
        else:
            self._lines.clear()
            self._is_serving = True
            self._start += 1
            self._say("Starting the app …")
            self._serve(self._now.lesson, self._start)

    @work(thread=True, group="serve")
    def _serve(self, lesson: Lesson, start: int) -> None:
        def hear(line: str) -> None:
            self._lines.append(line)
            # Queue one message at a time, so that endless output does no harm.
            if not self._log_told:
                self._log_told = True
                with contextlib.suppress(RuntimeError):
                    self.post_message(Logged())

        def accept(address: str) -> None:
            with contextlib.suppress(RuntimeError):
                self.post_message(Served(start, address))

        try:
            self._actions.serve(lesson, hear, accept)
        except ActionError as problem:
            self.post_message(NotServed(start, str(problem)))
        else:
            self.post_message(Served(start))

    def on_served(self, message: Served) -> None:
        """Show the app's log, and its address once it accepts connections."""
        if message.start != self._start or not self._is_serving:
            # It was stopped while it started, or its lesson was left. If another one
            # is being started by now, that has ended this one.
            if not self._is_serving:
                self._actions.stop_serving()
            return
        # The address may come first.
        self._address = message.address or self._address
        if self._address:
            self._said = ""
        self._draw()
        self._read("app", "Your app", texts.served(self._address, list(self._lines)))

    def on_not_served(self, message: NotServed) -> None:
        """Say why the app was not started."""
        if message.start == self._start:
            self._is_serving = False
        self._say(message.why, trouble=True)

    def on_logged(self) -> None:
        """Show the app's output if its text is open."""
        self._log_told = False
        if self._board.reading == "app":
            self._board.follow(texts.served(self._address, list(self._lines)))

    def _stop_serving(self) -> None:
        if self._is_serving:
            self._is_serving = False
            self._address = ""
            self._actions.stop_serving()
            if self._board.reading == "app":
                self._close()

    def action_leave(self) -> None:
        """Leave watch mode."""
        self.exit()


def parting_words(state: State, lesson: Lesson) -> str:
    """Return what is printed after the screen is closed."""
    total = len(lesson.brief.sections)
    verdicts = state.of(lesson.slug).verdicts
    done = sum(verdicts.get(number) == "passed" for number in range(1, total + 1))
    return (
        f"Lesson {lesson.number} · {lesson.title}: {done} of {total} steps passed.\n"
        f"To continue: {command('watch', lesson.number)}"
    )
