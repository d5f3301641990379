"""The protocol between learners and the room's server, as pydantic models.

Learners send events in batches (`EventBatch`). The client chooses the id of every
event, and the server stores each id once, so a batch can be sent again if the response
was lost. The server streams `Focus`, `Message`, `Poll` and `HelpOffer` to learners as
server-sent events; `STREAMED` contains their names.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

DEFAULT_PORT = 8080

HEARTBEAT_SECONDS = 30
"""How often a learner sends a heartbeat."""

BATCH_LIMIT = 100
"""The maximum number of events in one request."""

Lesson = Annotated[str, Field(pattern=r"^[0-9][0-9]$")]
StepNumber = Annotated[int, Field(ge=1, le=99)]
Name = Annotated[str, Field(min_length=1, max_length=40)]
Code = Annotated[str, Field(min_length=1, max_length=64)]
Letter = Annotated[str, Field(pattern=r"^[A-H]$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Join(_Model):
    """A learner's request to join: `POST /api/join`.

    The client chooses `learner` and `token`, so it can repeat the request.
    """

    code: Code
    learner: UUID
    token: Annotated[str, Field(min_length=32, max_length=64)]
    name: Name


class Joined(_Model):
    """The response to `Join`: the room's title."""

    room: str


def _kind_is_required(schema: dict[str, Any]) -> None:
    schema["required"] = [*schema["required"], "kind"]


class _LearnerEvent(_Model):
    """Something that a learner did; `at` is the time on the learner's clock.

    `kind` has a default for code that creates events. In JSON it is required, because
    it is the discriminator.
    """

    model_config = ConfigDict(json_schema_extra=_kind_is_required)

    id: UUID
    at: datetime


class _OfStep(_LearnerEvent):
    lesson: Lesson
    step: StepNumber


class Opened(_OfStep):
    """The learner works on this step now."""

    kind: Literal["opened"] = "opened"


class Judged(_OfStep):
    """A verdict: whether `step` passed, and the names of its failed tests."""

    kind: Literal["judged"] = "judged"
    passed: bool
    failed: Annotated[
        tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=50)
    ] = ()
    seconds: Annotated[float, Field(ge=0, le=3600)]


class HintShown(_OfStep):
    """The learner has read hint number `rung` of the step; 4 is the change itself."""

    kind: Literal["hint"] = "hint"
    rung: Annotated[int, Field(ge=1, le=4)]


class SolutionShown(_LearnerEvent):
    """The learner has opened the solution of the lesson."""

    kind: Literal["solution"] = "solution"
    lesson: Lesson


class Help(_LearnerEvent):
    """The learner asks for help, or no longer needs it."""

    kind: Literal["help"] = "help"
    wanted: bool


class Heartbeat(_LearnerEvent):
    """The learner is still connected."""

    kind: Literal["heartbeat"] = "heartbeat"


class Vote(_LearnerEvent):
    """The learner's choice in a poll; the last one counts."""

    kind: Literal["vote"] = "vote"
    poll: UUID
    choice: Letter


LearnerEvent = Annotated[
    Opened | Judged | HintShown | SolutionShown | Help | Heartbeat | Vote,
    Field(discriminator="kind"),
]
LEARNER_EVENT: TypeAdapter[LearnerEvent] = TypeAdapter(LearnerEvent)


class EventBatch(_Model):
    """`POST /api/events`. The response acknowledges all of the events or none."""

    events: Annotated[
        tuple[LearnerEvent, ...], Field(min_length=1, max_length=BATCH_LIMIT)
    ]


class Stored(_Model):
    """The response: all events of the batch are stored, and `new` were not before."""

    new: int


class Focus(_Model):
    """The step that everyone works on; both None if all work at their own pace."""

    lesson: Lesson | None = None
    step: StepNumber | None = None


class Message(_Model):
    """A short message from the instructor to everyone."""

    text: Annotated[str, Field(min_length=1, max_length=280)]
    by: Name


class Choice(_Model):
    """One choice of a poll; `votes` and `explanation` are empty until it is closed."""

    letter: Letter
    text: str
    votes: int | None = None
    explanation: str = ""


class Poll(_Model):
    """A poll with the question of a lesson's *Predict* part.

    While `open` is true, learners may vote. A closed poll contains the number of votes
    for each choice and, in `right`, the letter of the correct one.
    """

    id: UUID
    lesson: Lesson
    question: str
    choices: tuple[Choice, ...]
    open: bool
    right: Letter | None = None


class NoPoll(_Model):
    """The poll was removed, or there is none."""


class HelpOffer(_Model):
    """The state of this learner's request for help.

    `by` is the name of the helper who is coming, or empty. `wanted` is false once the
    request is closed.
    """

    by: str
    wanted: bool = True


STREAMED: dict[str, type[_Model]] = {
    "focus": Focus,
    "message": Message,
    "poll": Poll,
    "no_poll": NoPoll,
    "help": HelpOffer,
}
"""The events of `GET /api/stream`, by name. One more event, `bye`, has no data: the
server is about to stop, and the client should reconnect later."""
