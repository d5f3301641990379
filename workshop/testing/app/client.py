"""The in-process HTTP client whose requests keep the outer limit."""

from __future__ import annotations

from typing import Any

import httpx2

from workshop.testing.app.exchange import Asgi
from workshop.testing.reporting.failures import NoResponse, TimeLimitExceeded
from workshop.testing.time.limits import fail_after


class LimitedTransport(httpx2.AsyncBaseTransport):
    """Passes each request on to another transport, in a task with the outer limit."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        """Stand before *inner*."""
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send *request* and return the response.

        Raises:
            NoResponse: if there was no response within the outer limit.

        """
        response = self._inner.handle_async_request(request)
        try:
            return await fail_after(response, never="")
        except TimeLimitExceeded:
            raise NoResponse(
                f"{request.method} {request.url.path} never got a response. "
                "Expected: a response."
            ) from None

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._inner.aclose()


def in_process_client(
    asgi: Asgi, *, client: tuple[str, int] = ("127.0.0.1", 50000), **options: Any
) -> httpx2.AsyncClient:
    """Return a client that calls *asgi* without a network.

    It gets a response when the app has returned, which is after background tasks and
    clean-up. Use `exchange` where that matters. An error in the app is a 500. *client*
    is the address and port from which the app sees its requests come.
    """
    transport = httpx2.ASGITransport(asgi, raise_app_exceptions=False, client=client)
    return httpx2.AsyncClient(
        transport=LimitedTransport(transport), base_url="http://box-office", **options
    )
