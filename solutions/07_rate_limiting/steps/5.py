"""The box office, and a limit for those who ask too often.

Start it with `make lesson-07 run`, then open /docs.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil

from fastapi import Depends, FastAPI, HTTPException, Request
from redis.asyncio import Redis
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

LIMIT = 3  # so many calls of one customer ...
WINDOW = 10  # ... in any so many seconds
PROXIES = ["10.0.0.1", "10.0.0.2"]  # our load balancer, our cache
REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Redis]]:
    # It connects when it is first used, and nobody uses it yet.
    async with Redis.from_url(REDIS_URL) as redis:
        yield {"redis": redis}


async def not_on_blocklist(request: Request) -> None:
    if await on_blocklist(request.client.host):
        raise HTTPException(403, "scalpers are not served")


app = FastAPI(
    title="Box office",
    lifespan=lifespan,
    dependencies=[Depends(not_on_blocklist)],
)
# The customer is whom the first of our own proxies has seen. What
# stands further left in X-Forwarded-For, anybody may have written.
app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=PROXIES)


# Decided without an await: nobody comes in between the look at the
# hits and the new entry. Each worker counts for itself.
class RateLimit:
    def __init__(self) -> None:
        self.hits: dict[str, list[float]] = {}  # who came last is last

    async def __call__(self, request: Request) -> None:
        customer, start = request.client.host, now() - WINDOW
        recent = [t for t in self.hits.get(customer, []) if t > start]
        if len(recent) >= LIMIT:
            raise too_many_calls(wait=recent[0] - start)
        # Only calls that were served count, or impatience never ends.
        self.hits.pop(customer, None)
        self.hits[customer] = [*recent, now()]
        while self.hits[away := next(iter(self.hits))][-1] <= start:
            del self.hits[away]


def too_many_calls(wait: float) -> HTTPException:
    retry = {"Retry-After": str(ceil(wait))}
    return HTTPException(429, "too many calls", retry)


@app.get("/shows/{show_id}/seats", dependencies=[Depends(RateLimit())])
async def seats(show_id: int) -> dict[str, int]:
    """How many seats are left? Scalpers ask all day long."""
    return {"show": show_id, "left": await seats_left(show_id)}


@app.get("/tickets/{code}", dependencies=[Depends(RateLimit())])
def ticket(code: str) -> dict[str, str]:
    """Print a ticket that has been paid."""
    return {"ticket": print_ticket(code)}


# TODO 6: three guesses in ten seconds, whichever worker takes them.
@app.post("/presale/{word}", dependencies=[Depends(RateLimit())])
async def presale(word: str) -> dict[str, bool]:
    """Open the presale for whoever knows the word of the fan club."""
    return {"open": word == FAN_CLUB_WORD}


# ----------------------------------------------------------------------
# The outside world. Leave it as it is: the tests put stand-ins in the
# place of these functions, by their names.
# ----------------------------------------------------------------------

FAN_CLUB_WORD = "encore"


def now() -> float:
    """Return the time in seconds. All limits here go by this clock."""
    return time.time()


async def on_blocklist(address: str) -> bool:
    """Ask the other box offices whether they know this scalper."""
    await asyncio.sleep(0.05)
    return address.startswith("192.0.2.")


async def seats_left(show_id: int) -> int:
    """Look up how many seats are left."""
    await asyncio.sleep(0.05)
    return 80 - show_id % 80


def print_ticket(code: str) -> str:
    """Draw the ticket and its bar code, which takes a while."""
    time.sleep(2)
    return f"ticket {code}, row 7"
