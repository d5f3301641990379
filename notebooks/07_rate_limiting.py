# %% [markdown]
# # 07 · Rate limiting, the notebook
#
# **You will see** how many calls a window serves, what one `await` does to a limit, and which part of a header is true.
# Predict before you run a cell.
# The lesson: [07 · Rate limiting](../docs/lessons/07_rate_limiting.md). To run this yourself: `make lesson-07 notebook`.

# %%
import asyncio
from collections import defaultdict
from contextlib import ExitStack
from math import ceil, floor

from redis.asyncio import Redis

from workshop.notebooks import play
from workshop.services import redis_server
from workshop.timeline import record

# %% [markdown]
# ## Two programmes in ten seconds
#
# At the door, each visitor gets two free programmes in ten seconds.
# A limit is a rule about times, so we can pass it the times instead of waiting for them.

# %%
LIMIT, WINDOW = 2, 10


class Fixed:
    """Counts in fixed slots: 0 to 10, 10 to 20, and so on."""

    def __init__(self):
        self.slots = defaultdict(int)

    def allows(self, now):
        self.slots[now // WINDOW] += 1
        return self.slots[now // WINDOW] <= LIMIT


class Sliding:
    """Remembers times, and looks back from now."""

    def __init__(self):
        self.times = []

    def allows(self, now):
        recent = [t for t in self.times if t > now - WINDOW]
        allowed = len(recent) < LIMIT
        self.times = [*recent, now] if allowed else recent
        return allowed


# %% [markdown]
# **Predict.** A visitor comes at 8, 9, 10, 11 and 19 seconds. How many programmes does each of the two give out?


# %%
def ask(limit, times):
    given = [now for now in times if limit.allows(now)]
    name = type(limit).__name__
    print(f"{name}: {len(given)} programmes, at {given}")


for limit in (Fixed(), Sliding()):
    ask(limit, times=[8, 9, 10, 11, 19])

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# `Fixed` gives out four within three seconds: two at the end of one slot and two at the beginning of the next.
# `Sliding` never gives out more than two in any ten seconds.
#
# </details>
#
# **Your turn.** `Sliding` does not record refused calls. Let it record them as well:
# always assign `[*recent, now]`, and ask it about every second from 0 to 40. What changes for an impatient visitor?
#
# ## Come back later
#
# A visitor came at 0.5 and 0.6 seconds, and is refused at 4.
# `Retry-After` contains whole seconds.
#
# **Predict.** For each way of rounding: is the visitor served on coming back at that time?

# %%
for rounded in (floor, round, ceil):
    door = Sliding()
    ask(door, [0.5, 0.6])
    wait = rounded(0.5 + WINDOW - 4)
    print(f"come back in {wait} s:", door.allows(4 + wait))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# 6.5 seconds are left. Rounding down is too early, and so is `round()`, which rounds to the even number.
# Only rounding up is always true.
#
# </details>
#
# ## A burst
#
# Now the count is in a book, which takes fifty milliseconds to read and fifty to write.
#
# **Predict.** Five visitors come at the same moment. How many get a programme?


# %%
class Book:
    given = 0

    async def read(self):
        await asyncio.sleep(0.05)
        return self.given

    async def write(self, number):
        await asyncio.sleep(0.05)
        self.given = number


async def looks_then_writes(book):
    given = await book.read()
    if given < LIMIT:
        await book.write(given + 1)
        return "a programme"
    return "nothing"


# %%
async def burst(door, title):
    book = Book()
    async with record(title=title, here=None) as picture:
        got = await asyncio.gather(*(door(book) for _ in range(5)))
    print("given out:", got.count("a programme"))
    print("the book says:", book.given)
    return picture


await play(burst(looks_then_writes, "Look, then write"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Five, and the book says one. All five read the book before any of them has written to it.
# There is an `await` between the check and the new count, and other tasks run there.
#
# </details>
#
# **Predict.** This door decides first and writes afterwards. It contains an `await` as well. Does the limit hold?


# %%
async def decides_then_writes(book):
    book.promised = getattr(book, "promised", 0) + 1
    if book.promised > LIMIT:
        return "nothing"
    await book.write(book.promised)
    return "a programme"


await play(burst(decides_then_writes, "Decide, then write"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# It does: two. There is no `await` between counting and comparing, so on one event loop no other task runs in between.
# A second process has a count of its own, though.
#
# </details>
#
# ## Two doors, one book
#
# Two processes share one count in a real Redis.
#
# **Predict.** Both doors read, then write. Two visitors come at once. What is the number in the end?

# %%
until_the_end = ExitStack()
service = until_the_end.enter_context(redis_server())
URL = service.url


async def read_and_write(redis):
    given = int(await redis.get("given") or 0)
    await redis.set("given", given + 1)


async def count_at_once(redis):
    await redis.incr("given")


async def two_doors(count, title):
    async with (
        Redis.from_url(URL) as left,
        Redis.from_url(URL) as right,
    ):
        await left.delete("given")
        await right.ping()
        async with record(title=title, here=None) as picture:
            await asyncio.gather(count(left), count(right))
        print("given out:", int(await left.get("given")))
    return picture


# %%
await play(two_doors(read_and_write, "Read, then write"))

# %%
await play(two_doors(count_at_once, "One command"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# One, and two. Redis executes one command at a time, so `INCR` is atomic.
# If you need more than one command, use a transaction or a script.
#
# </details>
#
# ## Who is calling?
#
# Each proxy appends the address that it has seen to `X-Forwarded-For`.
# Our proxy is the last one. A visitor at 203.0.113.9 sends a made-up header.
#
# **Predict.** Which entries did the visitor write?


# %%
def through_our_proxy(header, seen):
    return ", ".join(filter(None, [header, seen]))


for made_up in ("", "198.51.100.1", "198.51.100.2, 10.0.0.1"):
    header = through_our_proxy(made_up, seen="203.0.113.9")
    print(header, "-> the last one:", header.split(", ")[-1])

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# All but the last one, which our own proxy has added.
# If you use the first one, a client gets as many limits as it can make up addresses.
#
# </details>
#
# ## The same in real time
#
# The same five visitors, with the real clock: is the burst as large?

# %%
real = await burst(looks_then_writes, "In real time")

# %% tags=["nbval-ignore-output"]
real

# %%
until_the_end.close()

# %% [markdown]
# ## Three points to remember
#
# - Use a sliding window, because fixed slots let twice as many through around their edge. Round `Retry-After` up.
# - Check and count without an `await` in between, or let the database do both.
# - Use the address that your own proxy has seen, never one that the client has sent.
#
# Now keep the scalpers out: [lesson 07](../docs/lessons/07_rate_limiting.md), `make lesson-07`.
