"""The in-process HTTP client whose requests keep the outer limit."""

from __future__ import annotations

from typing import Any

import httpx2

from workshop.testing.app.exchange import Asgi
from workshop.testing.time.limits import fail_after


class LimitedTransport(httpx2.AsyncBaseTransport):
    """Passes requests on to another transport, each in a task, within the limit."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        """Stand before *inner*."""
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer *request*.

        Raises:
            TimeLimitExceeded: when no answer came within the outer limit.

        """
        return await fail_after(
            self._inner.handle_async_request(request),
            never=f"{request.method} {request.url.path} was never answered. "
            "Expected: an answer.",
        )

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._inner.aclose()


def in_process_client(
    asgi: Asgi, *, client: tuple[str, int] = ("127.0.0.1", 50000), **options: Any
) -> httpx2.AsyncClient:
    """Return a client that calls *asgi* without a network.

    An answer is there when the app has returned, so after background tasks and
    clean-up; use ``exchange`` where that matters. An error in the app is a 500.
    *client* is the address and the port that the app sees its requests come from.
    """
    transport = httpx2.ASGITransport(asgi, raise_app_exceptions=False, client=client)
    return httpx2.AsyncClient(
        transport=LimitedTransport(transport), base_url="http://box-office", **options
    )
