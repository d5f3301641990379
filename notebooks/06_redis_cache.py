# %% [markdown]
# # 06 · A Redis cache, in the laboratory
#
# **You will see** what a real Redis keeps, how many connections it has, and what happens when many miss at once.
# Predict before you run a cell.
# The lesson: [06 · A Redis cache](../docs/lessons/06_redis_cache.md). To run this yourself: `make lesson-06 notebook`.

# %%
import asyncio
from contextlib import ExitStack

from redis.asyncio import Redis
from redis.exceptions import RedisError

from workshop.notebooks import play
from workshop.services import redis_server
from workshop.timeline import record

# %% [markdown]
# A real server starts for this notebook, and ends with its last cell.
# It begins empty.

# %%
until_the_end = ExitStack()
service = until_the_end.enter_context(redis_server())
URL = service.url


def connect(**options):
    return Redis.from_url(URL, decode_responses=True, **options)


# %% [markdown]
# ## Three kinds of nothing
#
# The cloakroom remembers what hangs on a hook: a coat, nothing, or we have not looked yet.
#
# **Predict.** What does `get()` return for each of the three? And can you tell them apart?

# %%
async with connect() as redis:
    await redis.set("hook:1", "coat")
    await redis.set("hook:2", "")
    for hook in ("hook:1", "hook:2", "hook:3"):
        found = await redis.get(hook)
        print(hook, repr(found), "hit" if found else "miss")

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# `'coat'`, `''` and `None`. They are three values, and `if found` makes two of them the same.
# So an empty hook is looked for again by everybody, for ever.
#
# </details>
#
# **Predict.** What is kept when Python's `None` is to be remembered?

# %%
async with connect() as redis:
    try:
        await redis.set("hook:4", None)
    except RedisError as problem:
        print(type(problem).__name__)
    await redis.set("hook:4", str(None))
    print(repr(await redis.get("hook:4")))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# redis-py refuses it. Somebody then writes `str()` around it, and reads a word of four letters ever after.
# What is written needs a form that can be read back.
#
# </details>
#
# ## For how long?
#
# **Predict.** The process dies between the two commands. Does what hangs on the hook ever go?


# %%
async def ends(redis):
    seconds = await redis.ttl("hook:5")
    return "never" if seconds == -1 else "in a while"


async with connect() as redis:
    await redis.set("hook:5", "umbrella")
    # Here it dies, and this line is never reached:
    # await redis.expire("hook:5", 30)
    print("it ends, with two commands:", await ends(redis))
    await redis.set("hook:5", "umbrella", ex=30)
    print("it ends, with one command:", await ends(redis))
    await redis.set("hook:5", "hat")
    print("it ends, written again:", await ends(redis))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Never: without an expiry a key stays for ever. One command leaves no moment in between.
# And a plain `set()` takes the expiry away again.
#
# </details>
#
# **Your turn.** Write the hat with `keepttl=True`, and run the cell again. What is the last line now?
#
# ## Connections
#
# Each connection has a number at the server, which tells it on request.
#
# **Predict.** Ten visitors ask, one after another. How many connections are there with each of the two?


# %%
async def one_each():
    for _ in range(10):
        async with connect() as redis:
            yield await redis.client_id()


async def one_for_all():
    async with connect() as redis:
        for _ in range(10):
            yield await redis.client_id()


for asking in (one_each, one_for_all):
    numbers = {number async for number in asking()}
    print(asking.__name__, len(numbers))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Ten and one. A client has a pool; a new client has a new pool.
# With ten visitors at the same time, the second one opens more. How many?
#
# </details>
#
# ## Everybody misses at once
#
# To look at a hook takes 100 milliseconds. Within 20, three visitors ask for the same one.
#
# **Predict.** How often does somebody look?

# %%
looks = []


async def look(hook):
    looks.append(hook)
    await asyncio.sleep(0.1)
    return "scarf"


async def ask(redis, hook, after):
    await asyncio.sleep(after)
    found = await redis.get(hook)
    if found is None:
        found = await look(hook)
        await redis.set(hook, found, ex=30)
    return found


# %%
async def visitors(asking, title):
    looks.clear()
    async with connect() as redis:
        await redis.delete("hook:6")
        async with record(title=title, here=None) as picture:
            await asyncio.gather(
                asking(redis, "hook:6", after=0.0),
                asking(redis, "hook:6", after=0.01),
                asking(redis, "hook:6", after=0.02),
            )
    print("looks:", len(looks))
    return picture


await play(visitors(ask, "Everybody looks"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Three times. Everybody has asked before anybody has written.
# With a slow database and a popular page, this is how a cache takes a site down when one key expires.
#
# </details>
#
# **Predict.** Now there is a lock around the look. How often does somebody look, and how long does the last one wait?

# %%
lock = asyncio.Lock()


async def ask_in_turn(redis, hook, after):
    await asyncio.sleep(after)
    found = await redis.get(hook)
    if found is None:
        async with lock:
            found = await look(hook)
            await redis.set(hook, found, ex=30)
    return found


await play(visitors(ask_in_turn, "One after another"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Three times still, and now one after another: it is worse than before.
# Who has waited for the lock knows only what was true before it waited.
#
# </details>
#
# **Your turn.** Let whoever has the lock ask Redis once more before looking, and run the cell again.
# How many looks are left? Who waits for whom?
#
# ## When Redis does not answer
#
# This server takes calls, and says nothing. Real time, because a socket is waited for.
#
# **Predict.** What does the visitor get, and when would it come without the option?


# %%
async def silence(reader, writer):
    await reader.read()
    writer.close()


async def unanswered():
    async with await asyncio.start_server(
        silence, "127.0.0.1", 0
    ) as server:
        port = server.sockets[0].getsockname()[1]
        silent = Redis(port=port, socket_timeout=0.2)
        silent.set_retry(None)
        async with silent, record(title="Silence") as picture:
            try:
                await silent.get("hook:1")
            except RedisError as problem:
                print(type(problem).__name__)
    return picture


real = await unanswered()

# %% tags=["nbval-ignore-output"]
real

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# A `TimeoutError` of redis-py's own, after 200 milliseconds; without the option after five seconds (redis-py 8.1).
# A cache is there to save time, so its patience has to be shorter than the work it saves.
#
# </details>

# %%
until_the_end.close()

# %% [markdown]
# ## Three lines to keep
#
# - Missing, empty and `None` are three things, and a truth test makes them one.
# - A value and its expiry are one command; a client and its pool are one for the process.
# - Who misses has to find out whether somebody is looking already, after the lock as well as before.
#
# Now keep a site up: [lesson 06](../docs/lessons/06_redis_cache.md), `make lesson-06`.
