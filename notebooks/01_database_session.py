# %% [markdown]
# # 01 · Database session lifecycle, the notebook
#
# **You will see** when a commit happens between a request and its response, what an error leaves behind, and which connections return to the pool.
# Predict before you run a cell.
# The lesson: [01 · Database session lifecycle](../docs/lessons/01_database_session.md). To run this yourself: `make lesson-01 notebook`.

# %%
import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from httpx2 import AsyncClient
from sqlalchemy import event, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from workshop.notebooks import play
from workshop.scenario.transport import StreamingTransport
from workshop.timeline import NameRequests, record

# %% [markdown]
# ## A guest book
#
# Guests sign, and others read. The book is one table in a file.
# The listeners on `engine` count how many connections are checked out of the pool and how many are returned.

# %%
folder = tempfile.TemporaryDirectory()
file = Path(folder.name, "guests.db").as_posix()
engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
counted = {"checkout": 0, "checkin": 0}


def count(happened):
    def more(*_):
        counted[happened] += 1

    event.listen(engine.sync_engine.pool, happened, more)


for happened in counted:
    count(happened)

# %% [markdown]
# A dependency opens a connection, yields it to the endpoint, and commits afterwards.
# The diary records what happens, in order.

# %%
diary = []


async def get_book():
    async with engine.connect() as book:
        yield book
        await asyncio.sleep(0.5)  # a commit takes its time
        await book.commit()
        diary.append("committed")


SIGN = text("insert into guests values (:name)")


async def sign(name, book):
    await book.execute(SIGN, {"name": name})
    diary.append(f"{name} has signed")


# %% [markdown]
# Two endpoints use it. They differ only in the scope of the dependency.

# %%
app = FastAPI()


@app.post("/usual/{name}")
async def usual(
    name: str, book: Annotated[AsyncConnection, Depends(get_book)]
):
    await sign(name, book)
    return "signed"


Sooner = Depends(get_book, scope="function")


@app.post("/function/{name}")
async def function(name: str, book: Annotated[AsyncConnection, Sooner]):
    await sign(name, book)
    return "signed"


# %% [markdown]
# The scene: a guest signs, and as soon as the response arrives, a second connection reads the book.
# `StreamingTransport` serves the app as a server does: a response arrives when it is sent.
# httpx2's own in-process transport waits until the app has returned, so it would hide the order of events.


# %%
async def signing(path):
    diary.clear()
    async with engine.begin() as book:
        await book.execute(text("drop table if exists guests"))
        await book.execute(text("create table guests (name)"))
    transport = StreamingTransport(NameRequests(app))
    async with AsyncClient(
        transport=transport, base_url="http://x"
    ) as me:
        async with record(title=path, here="guest") as picture:
            response = await me.post(path)
            diary.append(f"response {response.status_code}")
            async with engine.connect() as second:
                found = await second.scalars(
                    text("select * from guests")
                )
                diary.append(f"a second reader sees {list(found)}")
            await transport.empty()
    await engine.dispose()
    print(*diary, sep="\n")
    return picture


# %% [markdown]
# **Predict.** Put these in order: response, committed, Ann has signed, a second reader sees.

# %%
await play(signing("/usual/Ann"))

# %%
await play(signing("/function/Ann"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# By default the response is sent first, and the code after the `yield` runs later (FastAPI since 0.118).
# The second connection reads an empty book, although the guest got "signed".
# With `scope="function"` (since 0.121) the dependency ends with the endpoint, before the response is sent.
#
# </details>
#
# **Your turn.** In `get_book()`, raise `RuntimeError("disk full")` where the commit is, and run from there.
# Which of the two guests gets an error?
#
# ## What an error leaves behind
#
# **Predict.** This endpoint writes and then refuses the guest. Is Bob in the book? Has his connection been returned?


# %%
@app.post("/refused/{name}")
async def refused(
    name: str, book: Annotated[AsyncConnection, Depends(get_book)]
):
    await sign(name, book)
    raise HTTPException(409, "no more guests today")


before = dict(counted)
await play(signing("/refused/Bob"))

# %%
print({key: counted[key] - before[key] for key in counted})

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The `yield` raises the error, so the line with the commit is never reached.
# `async with` returns the connection even so, and the uncommitted row is rolled back.
# As many connections were returned as were checked out.
#
# </details>
#
# ## Connections that are never returned
#
# **Predict.** The pool has two connections, and three guests keep theirs. What does the third one get?


# %%
async def forgetful():
    small = create_async_engine(
        f"sqlite+aiosqlite:///{file}",
        pool_size=2,
        max_overflow=0,
        pool_timeout=0.3,
    )
    lent = []
    async with record(title="A pool of two", here="host") as picture:
        for guest in ("Ann", "Bob", "Cy"):
            try:
                lent.append(await small.connect())
                print(guest, "has a connection")
            except PoolTimeoutError as problem:
                print(
                    guest, "got no connection:", type(problem).__name__
                )
    for connection in lent:
        await connection.close()
    await small.dispose()
    return picture


# %%
await play(forgetful())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The third guest waits for `pool_timeout`, by default 30 seconds, and then gets an error.
# In production this looks like a slow database, although the database is idle.
#
# </details>
#
# ## The same in real time
#
# This cell runs on the kernel's own event loop, with aiosqlite's real threads. Is the order still the same?

# %%
real = await signing("/usual/Ann")

# %% tags=["nbval-ignore-output"]
real

# %%
folder.cleanup()

# %% [markdown]
# ## Three points to remember
#
# - The code after a `yield` runs after the response, unless the scope is "function".
# - An error skips the commit, but `async with` still returns the connection.
# - Only a second connection can show whether a commit has happened.
#
# Now sell seats: [lesson 01](../docs/lessons/01_database_session.md), `make lesson-01`.
