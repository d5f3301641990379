# %% [markdown]
# # 07 · Rate limiting, in the laboratory
#
# **You will see** how many calls a window lets through, what one `await` does to a limit, and who may say who is calling.
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
# At the door, everybody gets two free programmes in ten seconds.
# A limit is a rule about times, so we can ask it about times, without waiting for them.

# %%
LIMIT, WINDOW = 2, 10


class Fixed:
    """Counts in drawers: 0 to 10, 10 to 20, and so on."""

    def __init__(self):
        self.drawers = defaultdict(int)

    def allows(self, now):
        self.drawers[now // WINDOW] += 1
        return self.drawers[now // WINDOW] <= LIMIT


class Sliding:
    """Remembers when, and looks back from now."""

    def __init__(self):
        self.times = []

    def allows(self, now):
        recent = [t for t in self.times if t > now - WINDOW]
        allowed = len(recent) < LIMIT
        self.times = [*recent, now] if allowed else recent
        return allowed


# %% [markdown]
# **Predict.** Somebody comes at 8, 9, 10, 11 and 19 seconds. How many programmes does each of the two give out?


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
# Drawers give out four within three seconds: two at the end of one, two at the beginning of the next.
# Looking back from now, no ten seconds have more than two.
#
# </details>
#
# **Your turn.** `Sliding` forgets calls that it refused. Let it remember them, too:
# give it `[*recent, now]` in any case, and ask it about every second from 0 to 40. What changes for an impatient visitor?
#
# ## Come back later
#
# A visitor came at 0.5 and 0.6 seconds, and is refused at 4.
# `Retry-After` has whole seconds.
#
# **Predict.** For each way of rounding: is the visitor served when he comes back as told?

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
# 6.5 seconds are left. Rounded down he comes too early, and so he does with `round()`, which goes to the even number.
# Up is the only way that never lies.
#
# </details>
#
# ## A burst
#
# Now the door asks its book, which takes fifty milliseconds to read and fifty to write.
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
# Five, and the book says one. All of them read before anybody has written.
# Between a look and its consequence there is an `await`, and there everybody else comes in.
#
# </details>
#
# **Predict.** This door decides first and writes afterwards. It has an `await`, too. Does it hold?


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
# It does: two. Counting and comparing happen in one piece, and on one loop nobody comes in between.
# A second process has a second number, though.
#
# </details>
#
# ## Two doors, one book
#
# Two processes count together in Redis, a real one.
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
# One, and two. Redis does a command in one piece, whoever else asks.
# What needs more than one command needs a transaction or a script.
#
# </details>
#
# ## Who is calling?
#
# Behind proxies, each of them writes at the end of `X-Forwarded-For` whom it has seen.
# Ours is the last one. A visitor at 203.0.113.9 sends a header of his own making.
#
# **Predict.** Which of these did he write himself?


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
# Everything but the last one, which our own proxy has seen.
# Who believes the first one lets everybody have as many limits as he can invent addresses.
#
# </details>
#
# ## The same in real time
#
# Five visitors at the top of a cell: is the burst as large?

# %%
real = await burst(looks_then_writes, "In real time")

# %% tags=["nbval-ignore-output"]
real

# %%
until_the_end.close()

# %% [markdown]
# ## Three lines to keep
#
# - A window slides, or its edge lets twice as many through; and the time to come back is rounded up.
# - Look and decide without an `await` in between, or let the database do both.
# - An address is what somebody trustworthy has seen, never what the caller says.
#
# Now keep the scalpers out: [lesson 07](../docs/lessons/07_rate_limiting.md), `make lesson-07`.
