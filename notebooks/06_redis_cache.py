# %% [markdown]
# # 06 · A Redis cache, in a notebook
#
# **You will see** what a real Redis stores, how many connections it has, and what happens if many requests miss at the same time.
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
# A real server starts for this notebook, and stops in its last cell.
# It is empty at first.

# %%
until_the_end = ExitStack()
service = until_the_end.enter_context(redis_server())
URL = service.url


def connect(**options):
    return Redis.from_url(URL, decode_responses=True, **options)


# %% [markdown]
# ## Three kinds of nothing
#
# A cloakroom stores what is on each hook: a coat, nothing, or no value because we have not looked yet.
#
# **Predict.** What does `get()` return for each of the three, and which of them counts as a hit?

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
# `'coat'`, `''` and `None`. These are three values, but `if found` treats two of them alike.
# So an empty hook is a miss, and everybody looks at it again.
#
# </details>
#
# **Predict.** What does Redis hold after you have stored Python's `None`?

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
# redis-py rejects `None`. With `str()` around it, Redis holds a text of four letters, and that is what you read back.
# Store values in a form that can be read back, such as JSON.
#
# </details>
#
# ## How long is a value kept?
#
# **Predict.** The process is stopped between the two commands. Will the value ever expire?


# %%
async def expires(redis):
    seconds = await redis.ttl("hook:5")
    return "never" if seconds == -1 else "after a while"


async with connect() as redis:
    await redis.set("hook:5", "umbrella")
    # The process is stopped here, so this line never runs:
    # await redis.expire("hook:5", 30)
    print("expires, two commands:", await expires(redis))
    await redis.set("hook:5", "umbrella", ex=30)
    print("expires, one command:", await expires(redis))
    await redis.set("hook:5", "hat")
    print("expires, stored again:", await expires(redis))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Never, because a key without an expiry stays forever. With one command there is no moment in between.
# A plain `set()` on an existing key removes its expiry.
#
# </details>
#
# **Your turn.** Store the hat with `keepttl=True`, and run the cell again. What is the last line now?
#
# ## Connections
#
# The server numbers its connections, and returns the number on request.
#
# **Predict.** Ten visitors come one after another. How many connections does each of the two functions need?


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
# Ten and one. Each client has a pool of its own.
# If ten visitors come at the same time, the second function needs more. How many?
#
# </details>
#
# ## Three misses at the same time
#
# A look at a hook takes 100 milliseconds. Three visitors come within 20 milliseconds and ask for the same hook.
#
# **Predict.** How many looks are there?

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


await play(visitors(ask, "Three looks"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Three. All of them have read Redis before the first value is stored.
# If the database is slow and the page is popular, one expired key is enough to overload the database.
#
# </details>
#
# **Predict.** Now there is a lock around the look. How many looks are there, and how long does the last visitor wait?

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
# Still three, but now one after another, which is worse than before.
# After waiting for a lock, a task only knows what was true before the wait.
#
# </details>
#
# **Your turn.** Read Redis once more after acquiring the lock, and run the cell again.
# How many looks are left? Which visitor waits for which?
#
# ## Redis does not reply
#
# This server accepts connections, but never replies. The cell runs in real time, because it waits for a socket.
#
# **Predict.** What does the visitor get, and how long would it take without `socket_timeout`?


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
        async with silent, record(title="No reply") as picture:
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
# redis-py's own `TimeoutError`, after 200 milliseconds. Without the option it takes five seconds (redis-py 8.1).
# A cache should save time, so its timeout has to be shorter than the work that it saves.
#
# </details>

# %%
until_the_end.close()

# %% [markdown]
# ## Three points to remember
#
# - A missing value, an empty one and `None` are three different things, but a truth test treats them alike.
# - Store a value and its expiry in one command, and use one client and one pool in the whole process.
# - After a miss, check whether a query is already running. After waiting for a lock, check again.
#
# Now repair a cache: [lesson 06](../docs/lessons/06_redis_cache.md), `make lesson-06`.
