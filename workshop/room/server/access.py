"""Who may do what: learners by token, the board by session, pages by origin."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, HTTPException, Request

from workshop.room.server.codes import is_same
from workshop.room.server.service import RoomService

BOARD_COOKIE = "room_board"
LEARNER_COOKIE = "room_learner"


class LoginNeededError(Exception):
    """The page needs a login, at `path`."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


async def room_service_of(request: Request) -> RoomService:
    """Return the service that the lifespan has put together."""
    return request.app.state.service  # type: ignore[no-any-return]


Service = Annotated[RoomService, Depends(room_service_of)]


def address_of(request: Request) -> str:
    """Return the client's address; behind configured proxies, the one they report."""
    return request.client.host if request.client else "unknown"


async def need_patience(request: Request, service: Service) -> None:
    """Refuse an address that has tried too many wrong codes.

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
    """Refuse a form that a page of another site has sent.

    Browsers send `Origin` with every POST. The cookies are `SameSite=Strict` too.
    A proxy may change `Host`, so the configured address is another right origin.

    Raises:
        HTTPException: 403.

    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    own = {request.headers.get("host"), urlsplit(service.settings.address).netloc}
    if site not in ("same-origin", "none") or (
        origin is not None and _netloc(origin) not in own - {"", None}
    ):
        raise HTTPException(403, "This form was sent by a page of another site.")


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
        HTTPException: 401.

    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    found = _credentials(given.strip()) if scheme.lower() == "bearer" else None
    if found is None or not await service.is_learner(*found):
        raise HTTPException(
            401,
            "The room does not know you. Join it again.",
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
        LoginNeededError: It has not.

    """
    if found is None:
        raise LoginNeededError("/join")
    return found


Visitor = Annotated[UUID, Depends(visitor)]


def is_secret(given: str, service: RoomService) -> bool:
    """Return whether *given* is the board's secret."""
    return is_same(given.strip(), service.room.secret)
