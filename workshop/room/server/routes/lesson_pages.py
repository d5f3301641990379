"""The poll of a lesson, in the lesson's page of the built site."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse
from pydantic import BaseModel

from workshop.room.protocol import HEARTBEAT_SECONDS, Lesson
from workshop.room.server import views
from workshop.room.server.access import Guest, Service
from workshop.room.server.shown import until_shown
from workshop.room.server.templates import STATIC, render

router = APIRouter(tags=["lesson pages"], include_in_schema=False)


class LessonPoll(BaseModel):
    """What a lesson's page shows of its poll.

    Attributes:
        joined: Whether the browser has joined. If not, there is nothing to follow.
        html: The ballot, the result, or a link to join; "" if there is no poll.
        seconds: How often the page says that it is open.

    """

    joined: bool
    html: str = ""
    seconds: int = HEARTBEAT_SECONDS


@router.get("/course/javascripts/room.js")
async def script() -> FileResponse:
    """Return the script of lesson pages, in place of the empty one of the site."""
    return FileResponse(STATIC / "lesson_poll.js", media_type="text/javascript")


@router.get("/me/poll")
async def poll(
    service: Service, learner: Guest, lesson: Annotated[Lesson, Query()]
) -> LessonPoll:
    """Return the poll of *lesson* for this browser. Votes are hidden while it is open.

    A browser that has not joined gets a link instead of a 401, because browsers log
    an error for every 401, and most readers are not learners of this room.
    """
    if learner is None:
        known = service.course.get(lesson)
        has_question = known is not None and known.question is not None
        if not has_question:
            return LessonPoll(joined=False)
        html = render("parts/lesson_poll.html", joined=False, lesson=lesson)
        return LessonPoll(joined=False, html=html)
    # The event that the page reacts to may have come from another worker.
    await until_shown(service)
    current = service.board.poll
    question = views.question_of(current, service.course)
    if current is None or question is None or current.lesson != lesson:
        return LessonPoll(joined=True)
    html = render(
        "parts/lesson_poll.html",
        joined=True,
        poll=current,
        bars=views.bars(current, question),
        choice=current.votes.get(learner, ""),
    )
    return LessonPoll(joined=True, html=html)
