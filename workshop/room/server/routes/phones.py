"""The room on a phone: join, read messages, vote, ask for help."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from workshop.room.protocol import HEARTBEAT_SECONDS, LEARNER_EVENT, Heartbeat, Join
from workshop.room.server import views
from workshop.room.server.access import (
    LEARNER_COOKIE,
    Service,
    Visitor,
    address_of,
    limit_attempts,
    same_origin,
)
from workshop.room.server.routes.learners import admit, draft_of, learner_stream
from workshop.room.server.service import RoomService
from workshop.room.server.shown import until_shown
from workshop.room.server.store import new_token
from workshop.room.server.templates import render

router = APIRouter(tags=["phones"], include_in_schema=False)
_FORM = [Depends(same_origin)]
_COOKIE_SECONDS = 7 * 24 * 60 * 60


@router.get("/")
async def home() -> Response:
    """Redirect to the learner's page."""
    return RedirectResponse("/me", 303)


@router.get("/join")
async def join_page(service: Service, code: str = "", lesson: str = "") -> HTMLResponse:
    """Show the form for joining. The QR code's link already contains the code.

    A reader who comes from the page of a *lesson* goes back to it after joining.
    """
    return _join_page(service, code, lesson=lesson)


def _join_page(
    service: RoomService,
    code: str,
    name: str = "",
    trouble: str = "",
    status: int = 200,
    lesson: str = "",
) -> HTMLResponse:
    html = render(
        "join.html",
        room=service.room.title,
        address=service.settings.address,
        code=code,
        name=name,
        trouble=trouble,
        lesson=lesson if _page_of(service, lesson) else "",
    )
    return HTMLResponse(html, status)


def _page_of(service: RoomService, lesson: str) -> str:
    """Return the path of the page of *lesson*; "" if the room has none."""
    known = service.course.get(lesson)
    if known is None or not known.page or not service.settings.has_site:
        return ""
    return f"/course/lessons/{known.page}#predict"


@router.post("/join", dependencies=[*_FORM, Depends(limit_attempts)])
async def join(
    request: Request,
    service: Service,
    code: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    lesson: Annotated[str, Form()] = "",
) -> Response:
    """Let the browser join the room."""
    token, learner = new_token(), uuid4()
    try:
        asked = Join(code=code, learner=learner, token=token, name=name)
        await admit(service, asked, address_of(request))
        await until_shown(service)
    except ValidationError:
        trouble = "Enter the code and a name of up to 40 characters."
        return _join_page(service, code[:64], name[:40], trouble, 422, lesson)
    except HTTPException as problem:
        trouble, status = str(problem.detail), problem.status_code
        html = _join_page(service, code, name, trouble, status, lesson)
        html.headers.update(problem.headers or {})
        return html
    response = RedirectResponse(_page_of(service, lesson) or "/me", 303)
    response.set_cookie(
        LEARNER_COOKIE,
        f"{learner}.{token}",
        max_age=_COOKIE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=service.settings.secure,
    )
    return response


@router.get("/me")
async def me(service: Service, learner: Visitor) -> HTMLResponse:
    """Show the learner the current step, messages and the poll."""
    return HTMLResponse(
        render(
            "me.html",
            room=service.room,
            seconds=HEARTBEAT_SECONDS,
            panel=_panel(service, learner),
            has_site=service.settings.has_site,
        )
    )


@router.get("/me/panel")
async def panel(service: Service, learner: Visitor) -> HTMLResponse:
    """Return the part of the page that changes."""
    return HTMLResponse(_panel(service, learner))


def _panel(service: RoomService, learner: UUID) -> str:
    board = service.board
    person = board.learners.get(learner)
    poll = board.poll
    question = views.question_of(poll, service.course)
    return render(
        "parts/me.html",
        name=person.name if person else "",
        focus=board.focus,
        focus_title=views.place_title(board.focus, service.course),
        messages=list(reversed(board.messages))[:3],
        poll=poll,
        question=question,
        bars=views.bars(poll, question) if poll and question else [],
        choice="" if poll is None else poll.votes.get(learner, ""),
        needs_help=person is not None and person.help_since is not None,
        helper=person.helper if person else "",
    )


@router.get("/me/stream")
async def stream(service: Service, learner: Visitor) -> Response:
    """Stream the same events to the browser as to watch mode."""
    return learner_stream(service, learner, service.board.seq)


@router.post("/me/vote", dependencies=_FORM)
async def vote(
    service: Service,
    learner: Visitor,
    poll: Annotated[UUID, Form()],
    choice: Annotated[str, Form(pattern="^[A-H]$")],
) -> Response:
    """Vote in the open poll. The last vote counts."""
    current = service.board.poll
    if current is None or current.id != poll or not current.is_open:
        raise HTTPException(409, "This poll is closed, so your vote was not counted.")
    question = views.question_of(current, service.course)
    if question is None or choice not in question.choices:
        raise HTTPException(422, "This is not one of the choices. Reload the page.")
    return await _write(
        service, learner, {"kind": "vote", "poll": str(poll), "choice": choice}
    )


@router.post("/me/help", dependencies=_FORM)
async def help_wanted(
    service: Service, learner: Visitor, wanted: Annotated[bool, Form()]
) -> Response:
    """Ask for help, or say that it is no longer needed."""
    return await _write(service, learner, {"kind": "help", "wanted": wanted})


@router.post("/me/alive", dependencies=_FORM, status_code=204)
async def alive(service: Service, learner: Visitor) -> None:
    """Record a heartbeat, so that the learner is not shown as offline."""
    now = datetime.now(UTC)
    await service.write([draft_of(Heartbeat(id=uuid4(), at=now), learner, now)])


@router.post("/me/leave", dependencies=_FORM)
async def leave(service: Service, learner: Visitor) -> Response:
    """Delete everything that is stored about the learner."""
    await service.store.forget(learner)
    await until_shown(service)
    response = RedirectResponse("/join", 303)
    response.delete_cookie(LEARNER_COOKIE)
    return response


async def _write(
    service: RoomService, learner: UUID, content: dict[str, Any]
) -> Response:
    now = datetime.now(UTC)
    event = LEARNER_EVENT.validate_python({"id": uuid4(), "at": now, **content})
    await service.write([draft_of(event, learner, now)])
    # The page that the browser loads next must show the change.
    await until_shown(service)
    return RedirectResponse("/me", 303)
