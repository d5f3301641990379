"""Watch mode's state of the room, and its texts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from workshop.actions.room import NEVER_SENT, PURPOSE, SENT
from workshop.lesson import Lesson
from workshop.room.client.address import Invitation
from workshop.room.client.status import RoomStatus
from workshop.screen.console import mark
from workshop.screen.watch.texts import prose
from workshop.terminal.output import safe_plain

if TYPE_CHECKING:
    from workshop.room.client.subscription import RoomEvent
    from workshop.room.protocol import Choice, Focus, Message, Poll

HOW_TO_JOIN = "Join a room: type its address, the code and your name"
EXAMPLE = "http://192.168.0.7:8080 K7QF Ann"
NO_ROOM = "You are not in a room. j joins one."


@dataclass(frozen=True)
class RoomState:
    """What this learner has received from the room.

    Attributes:
        status: Whether the learner has joined, and whether the room responds.
        focus: The room's current step; None if all work at their own pace.
        message: The instructor's last message, until the learner closes it.
        poll: The last poll, open or closed.
        poll_is_news: Whether to show a note about the poll: it is open, or it was
            closed while the learner was in the room.
        votes: The learner's choice in each poll, by the poll's id.
        wants_help: Whether the learner has asked for help.
        helper: The name of the helper who is coming, or empty.

    """

    status: RoomStatus = field(default_factory=RoomStatus)
    focus: Focus | None = None
    message: Message | None = None
    poll: Poll | None = None
    poll_is_news: bool = False
    votes: tuple[tuple[str, str], ...] = ()
    wants_help: bool = False
    helper: str = ""

    @property
    def is_joined(self) -> bool:
        """Whether the learner is in a room."""
        return self.status.membership is not None

    @property
    def vote(self) -> str:
        """The learner's choice in the last poll, empty if they have not voted."""
        return dict(self.votes).get(str(self.poll.id), "") if self.poll else ""


def with_status(now: RoomState, status: RoomStatus) -> RoomState:
    """Return the state with a new *status*. For another room, start afresh."""
    before, after = now.status.membership, status.membership
    if (before and before.learner) != (after and after.learner):
        return RoomState(status)
    return replace(now, status=status)


def apply_event(now: RoomState, event: RoomEvent) -> RoomState:
    """Return the state after *event* from the room."""
    from workshop.room.protocol import Focus, HelpOffer, Message, NoPoll, Poll

    match event:
        case Focus():
            return replace(now, focus=event if event.lesson else None)
        case Message():
            return replace(now, message=event)
        case Poll():
            same = now.poll is not None and now.poll.id == event.id
            news = event.open or (same and now.poll_is_news)
            return replace(now, poll=event, poll_is_news=news)
        case NoPoll():
            return replace(now, poll=None, poll_is_news=False)
        case HelpOffer(by=by, wanted=wanted):
            return replace(now, helper=by if wanted else "", wants_help=wanted)


def with_all_read(now: RoomState) -> RoomState:
    """Return the state after the learner has closed the room's notes."""
    is_open = now.poll is not None and now.poll.open
    return replace(now, message=None, poll_is_news=is_open)


def with_vote(now: RoomState, poll: str, letter: str) -> RoomState:
    """Return the state after the learner has voted."""
    return replace(now, votes=tuple({**dict(now.votes), poll: letter}.items()))


# In words


def consent(wanted: Invitation) -> str:
    """Return the question whether to join, and what will be sent."""
    return (
        f"Join {wanted.address} as {wanted.name}? {PURPOSE} Sent: {SENT}. "
        f"{NEVER_SENT} j leaves the room and deletes your data."
    )


def whereabouts(status: RoomStatus) -> str:
    """Return the learner's name and room, and the question whether to leave it."""
    it = status.membership
    assert it is not None
    title = f"{it.room!r} ({it.address})" if it.room else it.address
    return (
        f"You are {it.name} in {title}, {status.words.removeprefix('room: ')}. Leave "
        "the room and delete your data there?"
    )


def place(focus: Focus) -> str:
    """Return the lesson and the step of *focus*: `03 · step 2`."""
    return f"{focus.lesson} · step {focus.step}" if focus.step else f"{focus.lesson}"


def notes(now: RoomState, lesson: Lesson) -> Text:
    """Return the room's current notes, one sentence per line; often none."""
    if not now.is_joined:
        return Text()
    lines = []
    if now.message is not None:
        lines.append(_message(now.message))
    if now.focus is not None:
        lines.append(_focus(now.focus, lesson))
    if now.poll is not None and now.poll_is_news:
        lines.append(_poll(now.poll, now.vote))
    if now.wants_help:
        lines.append(_help(now.helper))
    return Text("\n".join(f"{mark('not tried')} {line}" for line in lines))


def changes(before: RoomState, now: RoomState, lesson: Lesson) -> list[str]:
    """Return what is new since the state *before*, one sentence per line."""
    lines = []
    if _connection(now) != _connection(before) and now.status.words:
        lines.append(f"{now.status.words.capitalize()}.")
    if now.message is not None and now.message is not before.message:
        lines.append(_message(now.message))
    if now.focus != before.focus and now.is_joined:
        free = "Everyone works at their own pace now."
        lines.append(_focus(now.focus, lesson) if now.focus else free)
    if now.poll is not None and now.poll != before.poll and now.poll_is_news:
        lines.append(_poll(now.poll, now.vote))
    if before.wants_help and not now.wants_help and now.is_joined:
        lines.append("Your request for help is closed. w asks again.")
    elif now.helper != before.helper and now.is_joined:
        lines.append(_help(now.helper))
    return lines


def _connection(now: RoomState) -> tuple[object, ...]:
    return now.is_joined, now.status.online, now.status.ended


def _message(message: Message) -> str:
    return f"{_one_line(message.by)}: {_one_line(message.text)}"


def _focus(focus: Focus, lesson: Lesson) -> str:
    there = focus.lesson == lesson.number
    return f"The room is on {place(focus)}.{'' if there else ' f takes you there.'}"


def _poll(poll: Poll, vote: str) -> str:
    if not poll.open:
        right = f" {poll.right} is correct." if poll.right else ""
        return f"The poll is closed.{right} v shows the result."
    if vote:
        return f"Poll: you voted {vote}. v shows the poll, where you can change it."
    return "Poll: the instructor asks a question. v shows it, so that you can vote."


def _help(helper: str) -> str:
    if helper:
        return f"{_one_line(helper)} is coming to help you. w withdraws your request."
    return "You are in the help queue. w withdraws your request."


def ballot(poll: Poll, vote: str) -> RenderableType:
    """Return the poll's question, or its result once it is closed."""
    parts: list[RenderableType] = [
        Text(f"Lesson {poll.lesson}", "bold"),
        Padding(_prose(poll.question), (0, 0, 1, 2)),
    ]
    parts += [_choice(it, poll, vote) for it in poll.choices]
    parts.append(Text())
    if poll.open:
        parts.append(Text("The result is shown once the instructor closes the poll."))
        return Group(*parts)
    for it in poll.choices:
        if it.explanation and it.letter in (vote, poll.right):
            whose = "Your choice" if it.letter == vote else "The correct choice"
            parts.append(Text(f"{whose}, {it.letter}", "bold"))
            parts.append(Padding(_prose(it.explanation), (0, 0, 1, 2)))
    if not vote:
        parts.append(Text("You did not vote."))
    return Group(*parts)


def _prose(text: str) -> RenderableType:
    """Render untrusted Markdown from the room."""
    return prose(safe_plain(text), addresses=True)


def _one_line(text: str) -> str:
    """Return text from the room in one line, without control codes."""
    return " ".join(safe_plain(text).split())


def _choice(choice: Choice, poll: Poll, vote: str) -> Text:
    line = Text.assemble((f"{choice.letter}  ", "bold"), _one_line(choice.text))
    if choice.votes is not None:
        line.append(f"  {choice.votes} {'vote' if choice.votes == 1 else 'votes'}")
    if choice.letter == poll.right:
        line.append(f"  {mark('passed')} correct", "bold")
    if choice.letter == vote:
        line.append("  (your vote)")
    return line
