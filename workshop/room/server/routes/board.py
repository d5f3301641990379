"""The board in the instructor's browser, and its projector mode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from workshop.room.server.access import (
    BOARD_COOKIE,
    Instructor,
    Service,
    address_of,
    is_secret,
    limit_attempts,
    same_origin,
)
from workshop.room.server.board_parts import BOARD, KINDS, PROJECTOR
from workshop.room.server.records import Draft
from workshop.room.server.routes.learners import event_stream
from workshop.room.server.service import RoomService
from workshop.room.server.shown import until_shown
from workshop.room.server.store import new_token
from workshop.room.server.templates import render
from workshop.room.server.text import one_line

router = APIRouter(prefix="/board", tags=["board"], include_in_schema=False)
_FORM = [Depends(same_origin)]
_COOKIE_SECONDS = 7 * 24 * 60 * 60


@router.get("/login")
async def login_page(service: Service, secret: str = "") -> HTMLResponse:
    """Show the login form. The instructor's link already contains the secret."""
    return _login(service, secret)


def _login(
    service: RoomService, secret: str, trouble: str = "", status: int = 200
) -> HTMLResponse:
    html = render("login.html", room=service.room.title, secret=secret, trouble=trouble)
    return HTMLResponse(html, status)


@router.post("/login", dependencies=[*_FORM, Depends(limit_attempts)])
async def login(
    request: Request,
    service: Service,
    secret: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
) -> Response:
    """Open a session for the board."""
    name = one_line(name)[:40]
    if not is_secret(secret, service):
        await service.attempts.failed(address_of(request))
        trouble = "Wrong secret. Open the full link to the board that make room prints."
        return _login(service, "", trouble, 403)
    if not name:
        return _login(service, secret, "Enter your name.", 422)
    token = new_token()
    await service.store.open_session(token, name)
    response = RedirectResponse("/board", 303)
    response.set_cookie(
        BOARD_COOKIE,
        token,
        max_age=_COOKIE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=service.settings.secure,
    )
    return response


@router.get("")
async def board(service: Service, by: Instructor, lesson: str = "") -> HTMLResponse:
    """Show which learner is on which step."""
    return _page(service, BOARD, "board.html", lesson, by=by)


@router.get("/projector")
async def projector(service: Service, by: Instructor, lesson: str = "") -> HTMLResponse:
    """Show counts without names, for the projector."""
    return _page(service, PROJECTOR, "projector.html", lesson, by=by)


def _page(
    service: RoomService, kind: str, template: str, wanted: str, **more: Any
) -> HTMLResponse:
    lesson = service.parts.lesson(wanted)
    html = render(
        template,
        room=service.room,
        address=service.settings.address,
        qr=service.qr,
        course=service.course,
        lesson=lesson,
        chosen=wanted if wanted in service.course else "",
        now=datetime.now(UTC),
        parts=service.parts.page(kind, lesson),
        seq=service.board.seq,
        **more,
    )
    return HTMLResponse(html)


@router.get("/stream")
async def stream(
    service: Service, by: Instructor, lesson: str = "", kind: str = "board"
) -> Response:
    """Stream what changes on a board, as server-sent events.

    Without a lesson, the board follows the room.
    """
    channel = f"{kind}:{lesson}"
    if (lesson and lesson not in service.course) or f"{kind}:" not in KINDS:
        raise HTTPException(404, "There is no such board. Open /board instead.")

    async def chunks() -> AsyncIterator[bytes]:
        def snapshot() -> bytes:
            return service.parts.snapshot(channel)

        with service.streams.opened((channel,), snapshot) as opened:
            # Always send the whole state: learners go offline without a new record.
            async for chunk in opened.chunks(snapshot()):
                yield chunk

    return event_stream(service, chunks())


@router.post("/focus", dependencies=_FORM)
async def focus(
    service: Service, by: Instructor, place: Annotated[str, Form()] = ""
) -> Response:
    """Set the step that the whole room works on, such as `03.2`, or clear it."""
    lesson, _, step = place.partition(".")
    if not place:
        return await _write(service, "focus", {"lesson": None, "step": None})
    found = service.course.get(lesson)
    numbers = [] if found is None else range(1, len(found.steps) + 1)
    if step not in map(str, numbers):
        raise HTTPException(422, "This step does not exist. Reload the board.")
    return await _write(service, "focus", {"lesson": lesson, "step": int(step)})


@router.post("/message", dependencies=_FORM)
async def message(
    service: Service, by: Instructor, text: Annotated[str, Form()] = ""
) -> Response:
    """Send everyone a message of up to 280 characters."""
    text = one_line(text)
    if not text:
        raise HTTPException(422, "The message is empty.")
    if len(text) > 280:
        raise HTTPException(
            422, f"The message has {len(text)} characters. At most 280 are allowed."
        )
    return await _write(service, "message", {"text": text, "by": by})


@router.post("/poll", dependencies=_FORM)
async def poll(
    service: Service, by: Instructor, lesson: Annotated[str, Form()] = ""
) -> Response:
    """Open a poll on the lesson's question. It replaces the previous poll."""
    found = service.course.get(lesson)
    if found is None or found.question is None:
        raise HTTPException(422, "This lesson has no question for a poll.")
    return await _write(service, "poll", {"lesson": lesson})


@router.post("/poll/close", dependencies=_FORM)
async def close_poll(
    service: Service, by: Instructor, poll: Annotated[UUID, Form()]
) -> Response:
    """Close the poll and show the votes to everyone."""
    return await _write(service, "poll_closed", {"poll": str(poll)})


@router.post("/poll/remove", dependencies=_FORM)
async def remove_poll(
    service: Service, by: Instructor, poll: Annotated[UUID, Form()]
) -> Response:
    """Remove the poll from all boards."""
    return await _write(service, "poll_removed", {"poll": str(poll)})


@router.post("/claim", dependencies=_FORM)
async def claim(
    service: Service, by: Instructor, learner: Annotated[UUID, Form()]
) -> Response:
    """Claim a request for help. The learner sees who is coming."""
    return await _write(service, "claim", {"learner": str(learner), "by": by})


@router.post("/answered", dependencies=_FORM)
async def answered(
    service: Service, by: Instructor, learner: Annotated[UUID, Form()]
) -> Response:
    """Remove a learner from the help queue."""
    return await _write(service, "answered", {"learner": str(learner)})


@router.post("/timer", dependencies=_FORM)
async def timer(
    service: Service, by: Instructor, minutes: Annotated[int, Form(ge=0, le=600)]
) -> Response:
    """Start a timer for everyone. 0 minutes stop it."""
    ends = datetime.now(UTC) + timedelta(minutes=minutes)
    return await _write(
        service, "timer", {"ends": ends.isoformat() if minutes else None}
    )


async def _write(service: RoomService, kind: str, data: dict[str, Any]) -> Response:
    await service.write([Draft(kind, datetime.now(UTC), None, data, uuid4())])
    # Without JavaScript, the browser loads the board next, which must show the change.
    await until_shown(service)
    return RedirectResponse("/board", 303)
