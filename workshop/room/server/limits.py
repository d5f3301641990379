"""Limits and headers for every request, as pure ASGI middleware (lesson 11)."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES = 2_000_000
"""A full batch of failed verdicts has about one megabyte."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    # With `no-referrer`, browsers would send the `Origin` of forms as `null`.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
"""What no page of the room needs is forbidden, and nothing is kept in a cache."""


class TooLargeError(Exception):
    """The body is larger than allowed."""


class BodyLimit:
    """Refuses bodies over `BODY_BYTES`, whether their length is announced or not."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal() or int(announced) > BODY_BYTES:
            await _refuse(scope, receive, send)
            return
        size = 0
        is_refused = False

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > BODY_BYTES:
                raise TooLargeError
            return message

        async def unless_refused(message: Message) -> None:
            nonlocal is_refused
            # FastAPI responds 400 to any error while it reads a body.
            if message["type"] == "http.response.start" and size > BODY_BYTES:
                is_refused = True
                await _refuse(scope, receive, send)
            elif not is_refused:
                await send(message)

        await self.app(scope, counted, unless_refused)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    response = JSONResponse({"detail": "The request is too large."}, 413)
    await response(scope, receive, send)


class SecurityHeaders:
    """Adds headers that forbid browsers what no page of the room needs."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers)
