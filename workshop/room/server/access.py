"""Authorization: tokens for learners, sessions for the board, an origin check."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, HTTPException, Request

from workshop.room.server.codes import is_same
from workshop.room.server.service import RoomService

BOARD_COOKIE = "room_board"
LEARNER_COOKIE = "room_learner"
UNKNOWN_LEARNER = (
    "You are not in this room: you have left, or the instructor has started a new one. "
    "Join again."
)


class LoginNeededError(Exception):
    """The page requires a login at `path`."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


async def room_service_of(request: Request) -> RoomService:
    """Return the service that the lifespan has created."""
    return request.app.state.service  # type: ignore[no-any-return]


Service = Annotated[RoomService, Depends(room_service_of)]


def address_of(request: Request) -> str:
    """Return the client's address; behind a trusted proxy, the one it forwards."""
    return request.client.host if request.client else "unknown"


async def limit_attempts(request: Request, service: Service) -> None:
    """Reject an address that has tried too many wrong codes.

    Raises:
        HTTPException: 429, with the seconds to wait.

    """
    seconds = await service.attempts.wait_seconds(address_of(request))
    if seconds:
        raise HTTPException(
            429,
            f"Too many wrong codes. Try again in {seconds} seconds.",
            {"Retry-After": str(seconds)},
        )


async def same_origin(request: Request, service: Service) -> None:
    """Reject a form that was submitted from another site (CSRF).

    Browsers send `Origin` with every POST, and the cookies are `SameSite=Strict`.
    A proxy may change `Host`, so the configured address is accepted too.

    Raises:
        HTTPException: 403 if another site sent the form.

    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    own = {request.headers.get("host"), urlsplit(service.settings.address).netloc}
    if site not in ("same-origin", "none") or (
        origin is not None and _netloc(origin) not in own - {"", None}
    ):
        raise HTTPException(
            403,
            "This form was sent from another site, so it was rejected. If it was not, "
            "start the room with --address and the URL in your browser.",
        )


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # such as http://[
        return ""


async def instructor(request: Request, service: Service) -> str:
    """Return the name of the instructor or helper who is logged in to the board.

    Raises:
        LoginNeededError: The browser is not logged in.

    """
    token = request.cookies.get(BOARD_COOKIE, "")
    name = await service.store.name_of_session(token) if token else None
    if name is None:
        raise LoginNeededError("/board/login")
    return name


Instructor = Annotated[str, Depends(instructor)]


def _credentials(text: str) -> tuple[UUID, str] | None:
    learner, _, token = text.partition(".")
    try:
        return UUID(learner), token
    except ValueError:
        return None


async def learner(request: Request, service: Service) -> UUID:
    """Return the learner whose token the request carries.

    Raises:
        HTTPException: 401 if no learner has this token.

    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    found = _credentials(given.strip()) if scheme.lower() == "bearer" else None
    if found is None or not await service.is_learner(*found):
        raise HTTPException(
            401,
            UNKNOWN_LEARNER,
            {"WWW-Authenticate": "Bearer"},
        )
    return found[0]


CurrentLearner = Annotated[UUID, Depends(learner)]


async def guest(request: Request, service: Service) -> UUID | None:
    """Return the learner whose browser has joined, or None if it has not."""
    found = _credentials(request.cookies.get(LEARNER_COOKIE, ""))
    if found is None or not await service.is_learner(*found):
        return None
    return found[0]


Guest = Annotated[UUID | None, Depends(guest)]


async def visitor(found: Guest) -> UUID:
    """Return the learner whose browser has joined.

    Raises:
        LoginNeededError: The browser has not joined.

    """
    if found is None:
        raise LoginNeededError("/join")
    return found


Visitor = Annotated[UUID, Depends(visitor)]


def is_secret(given: str, service: RoomService) -> bool:
    """Return whether *given* is the board's secret."""
    return is_same(given.strip(), service.room.secret)
