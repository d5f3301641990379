"""The API that watch mode uses: join, send events, subscribe, leave."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from workshop.room.protocol import EventBatch, Join, Joined, LearnerEvent, Stored
from workshop.room.server.access import (
    UNKNOWN_LEARNER,
    CurrentLearner,
    Service,
    address_of,
    limit_attempts,
)
from workshop.room.server.codes import is_code
from workshop.room.server.problems import responses
from workshop.room.server.records import Draft
from workshop.room.server.service import LEARNERS, RoomService
from workshop.room.server.shown import until_shown
from workshop.room.server.store import LearnerTakenError
from workshop.room.server.streams import FullError
from workshop.room.server.text import one_line

LEARNERS_LIMIT = 2_000

router = APIRouter(prefix="/api", tags=["learners"])

_ERRORS = responses(
    status_400="The body is not JSON.",
    status_401="The room does not know this learner.",
    status_403="The code is wrong.",
    status_409="The id belongs to another learner.",
    status_413="The request is too large.",
    status_422="A field is missing or not valid.",
    status_429="Too many wrong codes from this address.",
    status_503="The server is busy. Try again after `Retry-After`.",
)


def _errors(*statuses: int) -> dict[int | str, dict[str, object]]:
    return {status: _ERRORS[status] for status in statuses}


async def admit(service: RoomService, join: Join, address: str) -> None:
    """Let a learner in if the code is correct.

    Raises:
        HTTPException: 403, 409, 422 or 503, with a message for the learner.

    """
    if not is_code(join.code, service.room.code):
        await service.attempts.failed(address)
        raise HTTPException(403, "Wrong code. Check the code on the projector.")
    name = one_line(join.name)
    if not name:
        raise HTTPException(422, "Enter a name with visible characters.")
    known = service.board.learners
    if len(known) >= LEARNERS_LIMIT and join.learner not in known:
        raise HTTPException(
            503,
            f"The room is full: it has {LEARNERS_LIMIT} learners. Tell the instructor.",
            {"Retry-After": "60"},
        )
    try:
        await service.join(join.learner, join.token, name)
    except LearnerTakenError:
        raise HTTPException(
            409, "This id belongs to another learner. Join again with a new id."
        ) from None


@router.post(
    "/join",
    dependencies=[Depends(limit_attempts)],
    responses=_errors(400, 403, 409, 413, 422, 429, 503),
)
async def join(request: Request, service: Service, asked: Join) -> Joined:
    """Join the room. The request may be repeated with the same id and token."""
    await admit(service, asked, address_of(request))
    return Joined(room=service.room.title)


@router.post("/events", responses=_errors(400, 401, 413, 422, 503))
async def events(
    service: Service, learner: CurrentLearner, batch: EventBatch
) -> Stored:
    """Store events. The response is sent after the commit."""
    now = datetime.now(UTC)
    appended = await service.write([draft_of(it, learner, now) for it in batch.events])
    if appended.strangers:
        raise HTTPException(401, UNKNOWN_LEARNER)
    return Stored(new=len(appended.new))


def draft_of(event: LearnerEvent, learner: UUID, now: datetime) -> Draft:
    """Return the draft to store for *event*."""
    data = event.model_dump(mode="json", exclude={"id", "at", "kind"})
    # Ignore a clock that is a day or more off, and a time without a time zone.
    at = event.at
    if at.tzinfo is None or abs(at - now) >= timedelta(days=1):
        at = now
    return Draft(event.kind, at, learner, data, event.id)


@router.get(
    "/stream",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **_errors(401, 413, 422, 503),
    },
)
async def stream(
    service: Service,
    learner: CurrentLearner,
    last_event_id: Annotated[str, Header()] = "",
) -> Response:
    """Stream the current step, messages, polls and offers of help."""
    last = int(last_event_id) if re.fullmatch(r"[0-9]{1,18}", last_event_id) else 0
    return learner_stream(service, learner, last)


def learner_stream(service: RoomService, learner: UUID, last: int) -> Response:
    """Return the stream of one learner."""

    async def chunks() -> AsyncIterator[bytes]:
        with service.streams.opened(
            (LEARNERS, f"{LEARNERS}:{learner}"),
            lambda: service.first_for(learner, service.board.seq),
        ) as opened:
            async for chunk in opened.chunks(service.first_for(learner, last)):
                yield chunk

    return event_stream(service, chunks())


def event_stream(service: RoomService, chunks: AsyncIterator[bytes]) -> Response:
    """Return the response with *chunks*, unless too many streams are open.

    Raises:
        HTTPException: 503.

    """
    if service.streams.is_full:
        raise HTTPException(
            503,
            "Too many pages and watch modes are connected. Close some tabs.",
            {"Retry-After": "5"},
        )
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_until_full(chunks), 200, headers, "text/event-stream")


async def _until_full(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for chunk in chunks:
            yield chunk
    except FullError:
        # Other clients took the last places. The stream ends, so the client retries.
        return


@router.delete("/learner", status_code=204, responses=_errors(401, 413, 503))
async def leave(service: Service, learner: CurrentLearner) -> None:
    """Delete everything that is stored about the learner."""
    await service.store.forget(learner)
    # Afterwards this worker rejects the token.
    await until_shown(service)
