"""Give each request a lane of its own, named after its method and path."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import ExitStack
from typing import Any

from workshop.timeline.recorder import Recorder
from workshop.timeline.recording import BOUNDARIES, recorders_of
from workshop.timeline.tracks import Track

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CUSTOMER = "workshop.timeline.customer"
"""The key of an ASGI scope for the name of the customer who sends the request."""


class NameRequests:
    """An ASGI app around another: a recording shows `#1 GET /report` as a lane.

    The lane begins and ends with the request, whether the request has a task of its own
    (with uvicorn) or runs in its client's task (in one process). Requests are numbered
    from the beginning of the recording; a request with a `CUSTOMER` in its scope has
    the customer's name instead of a number. A mark shows when its response begins.
    Without a recording, the wrapper only passes calls on.
    """

    def __init__(self, app: App) -> None:
        """Wrap *app*."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, in a lane of its own."""
        with ExitStack() as lanes:
            if scope["type"] in ("http", "websocket"):
                name = f"{scope.get('method', 'WS')} {scope['path']}"
                customer = str(scope.get(CUSTOMER, ""))
                for recorder in recorders_of(asyncio.get_running_loop()):
                    lane = lanes.enter_context(recorder.request(name, customer))
                    if lane is not None:
                        send = _noting(send, recorder, lane)
            await self.app(scope, receive, send)


def _noting(send: Send, recorder: Recorder, lane: Track) -> Send:
    """Return a *send* that also notes when a message was sent."""

    async def noting(message: MutableMapping[str, Any]) -> None:
        await send(message)
        recorder.sent(lane, message)

    return noting


BOUNDARIES.add(NameRequests.__call__.__code__)
