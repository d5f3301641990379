"""Messages to the application from other threads."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import RenderableType
from textual.message import Message

from workshop.lesson import Lesson
from workshop.watch import Event


class Told(Message):
    """An event from the engine."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event


class Entered(Message):
    """The services of a lesson are ready."""

    def __init__(self, lesson: Lesson, environment: Mapping[str, str]) -> None:
        super().__init__()
        self.lesson = lesson
        self.environment = environment


class NotEntered(Message):
    """The services of a lesson could not be started."""

    def __init__(self, lesson: Lesson, why: str) -> None:
        super().__init__()
        self.lesson = lesson
        self.why = why


class Said(Message):
    """The result of an action, as a sentence."""

    def __init__(self, text: str, *, trouble: bool = False) -> None:
        super().__init__()
        self.text = text
        self.trouble = trouble


class Served(Message):
    """The app that was started as number *start* is served.

    It accepts connections at *address*, or not yet, if that is empty.
    """

    def __init__(self, start: int, address: str = "") -> None:
        super().__init__()
        self.start = start
        self.address = address


class NotServed(Message):
    """The app that was started as number *start* cannot be served."""

    def __init__(self, start: int, why: str) -> None:
        super().__init__()
        self.start = start
        self.why = why


class Recorded(Message):
    """The timeline requested with *ticket* was recorded."""

    def __init__(self, ticket: int, text: RenderableType) -> None:
        super().__init__()
        self.ticket = ticket
        self.text = text


class Logged(Message):
    """The learner's app has printed something."""
