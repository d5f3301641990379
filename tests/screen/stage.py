"""Watch mode without an engine: a session and a actions that tests play."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from textual.events import Key
from textual.pilot import Pilot

from tests.tiny import write_lesson
from workshop.grading import LessonVerdict, StepVerdict, TestVerdict, Verdict
from workshop.lesson import Lesson
from workshop.progress import State
from workshop.screen.watch.actions import ActionError
from workshop.screen.watch.app import WatchApp
from workshop.timeline import Lane, Span, Timeline
from workshop.timeline import State as TimelineState
from workshop.watch import Event, Finished, Reported, Started, Watching

PASSED, FAILED = Verdict.PASSED, Verdict.FAILED
WRAP_UP = "## Wrap-up\n\nOne thing to keep:\n\n1. Seats are\n   counted.\n"


def write_lessons(root: Path) -> list[Lesson]:
    """Write two lessons, 90 and 91, and return them."""
    lessons = [write_lesson(root), write_lesson(root, name="91_halls")]
    lessons[0].page.write_text(f"# 90 · Seats\n\n{WRAP_UP}", encoding="utf-8")
    readme = lessons[1].folder / "README.md"
    text = readme.read_text(encoding="utf-8").replace("# 90 · Seats", "# 91 · Halls")
    readme.write_text(text, encoding="utf-8")
    return lessons


def verdict_on(lesson: Lesson, *steps: Verdict, seen: str = "Seen.") -> LessonVerdict:
    """Return a verdict with the given word for each step of *lesson*."""
    return LessonVerdict(
        lesson,
        tuple(
            StepVerdict(
                step.number,
                step.title,
                tuple(
                    TestVerdict(test, word, "" if word is PASSED else seen)
                    for test in step.tests
                ),
            )
            for step, word in zip(lesson.steps, steps, strict=True)
        ),
        seconds=0.5,
    )


@dataclass
class PlayedSession:
    """A fake engine that sends the test's events and records its calls."""

    lesson: Lesson
    listen: Callable[[Event], None]
    told: list[str] = field(default_factory=list)
    runs: int = 0

    def start(self) -> None:
        self.told.append("start")

    def rerun(self) -> None:
        self.told.append("rerun")

    def end_run(self) -> None:
        self.told.append("end run")

    def change(self, lesson: Lesson, environment: Mapping[str, str]) -> None:
        self.lesson = lesson
        self.told.append(f"change {lesson.number}")


@dataclass
class PlayedDesk:
    """A fake actions that keeps its state in memory and records its calls."""

    there: list[Lesson]
    known: State = field(default_factory=State)
    done: list[str] = field(default_factory=list)
    trouble: str = ""
    log: Callable[[str], None] | None = None
    accept: Callable[[str], None] | None = None
    accepts: bool = True

    def lessons(self) -> Sequence[Lesson]:
        return self.there

    def state(self) -> State:
        return self.known

    def notes(self) -> Sequence[str]:
        return ()

    def enter(self, lesson: Lesson) -> Mapping[str, str]:
        if self.trouble:
            raise ActionError(self.trouble)
        self.done.append(f"enter {lesson.number}")
        return {}

    def record(self, finished: Finished) -> None:
        verdicts = {it.number: str(it.verdict) for it in finished.verdict.steps}
        self.known.of(finished.lesson).judge(verdicts, finished.content, "now")
        self.done.append(f"record {finished.content}")

    def next_hint(self, lesson: Lesson, step: int) -> int:
        hints = self.known.of(lesson.slug).hints
        hints[step] = hints.get(step, 0) + 1
        return hints[step]

    def note_shown(self, lesson: Lesson, step: int) -> None:
        self.known.of(lesson.slug).show(step, "now")

    def note_solution(self, lesson: Lesson) -> None:
        self.done.append("solution")
        self.known.of(lesson.slug).solution_seen = "now"

    def reset(self, lesson: Lesson) -> str:
        self.done.append("reset")
        return "It is the starter. Your file is kept in a safe place."

    def catch_up(self, lesson: Lesson, step: int) -> str:
        self.done.append(f"catch up {step}")
        return "It is ours."

    def undo(self, lesson: Lesson) -> str:
        raise ActionError("There is nothing to undo.")

    def serve(
        self,
        lesson: Lesson,
        listen: Callable[[str], None],
        accept: Callable[[str], None],
    ) -> None:
        self.log = listen
        self.accept = accept
        self.done.append("serve")
        if self.accepts:
            accept("http://127.0.0.1:7357")

    def stop_serving(self) -> None:
        self.done.append("stop serving")

    def timelines(self, lesson: Lesson) -> Sequence[str]:
        return ["The doors open", "The doors close"]

    def timeline(self, lesson: Lesson, scene: int) -> Timeline:
        self.done.append(f"timeline {scene}")
        span = Span(TimelineState.BLOCKING, 0, 300, "ask_venue()", "app.py:25")
        return Timeline((Lane("GET /report", (span,)),), 300)

    def browse(self, lesson: Lesson) -> str:
        return ""


@dataclass
class Stage:
    """The application in a headless terminal, with its fakes."""

    pilot: Pilot[None]
    app: WatchApp
    actions: PlayedDesk
    session: PlayedSession

    @property
    def text(self) -> str:
        """The text on the screen."""
        # The one way to see what a terminal would, with what is cut off.
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    async def press(self, *keys: str) -> str:
        """Type *keys* at once and return the resulting screen."""
        for key in keys:
            typed = key if len(key) == 1 else None
            self.app.post_message(Key(key, typed))
        return await self.settled()

    async def resize(self, columns: int, lines: int) -> str:
        """Resize the window and return the resulting screen."""
        await self.pilot.resize_terminal(columns, lines)
        return await self.settled()

    async def tell(self, *events: Event) -> str:
        """Send *events* from the engine and return the resulting screen."""
        for event in events:
            self.session.listen(event)
        return await self.settled()

    async def settled(self) -> str:
        """Return the screen after all messages have been handled."""
        text = await self._quiet()
        if self.app.workers:
            await self.app.workers.wait_for_complete()
            text = await self._quiet()
        return text

    async def _quiet(self) -> str:
        """Handle messages until nothing changes any more."""
        seen: list[str] = []
        while len(seen) < 5 or len(set(seen[-5:])) > 1:
            await self.pilot.pause(0)  # what is queued now, in every widget
            await self.pilot.wait_for_animation()
            seen.append(self.text)
        return seen[-1]

    async def begin(self) -> str:
        """Begin a run."""
        lesson = self.session.lesson
        self.session.runs += 1
        run = self.session.runs
        return await self.tell(Started(lesson.slug, run, len(lesson.tests)))

    async def test(self) -> str:
        """Begin the next test of the run."""
        event = {"event": "start", "id": "any"}
        slug = self.session.lesson.slug
        return await self.tell(Reported(slug, self.session.runs, event))

    async def finish(self, *steps: Verdict, seen: str = "Seen.") -> str:
        """Finish the run with a verdict."""
        lesson = self.session.lesson
        verdict = verdict_on(lesson, *steps, seen=seen)
        run = self.session.runs
        return await self.tell(Finished(lesson.slug, run, verdict, f"content {run}"))

    async def save(self, *steps: Verdict, seen: str = "Seen.") -> str:
        """Send the verdict on a save."""
        await self.begin()
        return await self.finish(*steps, seen=seen)


@asynccontextmanager
async def raised(
    root: Path,
    *,
    size: tuple[int, int] = (80, 24),
    actions: PlayedDesk | None = None,
    tried: bool = True,
) -> AsyncIterator[Stage]:
    """Open watch mode at lesson 90, with the earlier verdict *tried*."""
    actions = actions or PlayedDesk(write_lessons(root))
    if tried:
        actions.known.of(actions.there[0].slug).verdicts = {1: "failed", 2: "failed"}
    sessions: list[PlayedSession] = []

    def open_session(
        lesson: Lesson,
        environment: Mapping[str, str],
        listen: Callable[[Event], None],
    ) -> PlayedSession:
        sessions.append(PlayedSession(lesson, listen))
        return sessions[-1]

    app = WatchApp(actions, open_session, actions.there[0])
    async with app.run_test(size=size) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        session = (
            sessions[0] if sessions else PlayedSession(actions.there[0], app._listen)
        )
        stage = Stage(pilot, app, actions, session)
        lesson = actions.there[0]
        if sessions:
            await stage.tell(Watching(lesson.slug, lesson.app_file, False, ""))
        yield stage
