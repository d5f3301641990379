# %% [markdown]
# # 01 · Database session lifecycle, in the laboratory
#
# **You will see** when a commit happens between a request and its answer, what an error leaves behind, and which connections come back.
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
# `engine` counts: which connections are out, and which have come back?

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
# A dependency opens a transaction, lends it to the endpoint, and commits when it is given back.
# The diary notes what happens, in its order.

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
# Two doors lead to it. They differ in one thing: how long the dependency is in use.

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
# The scene: a guest signs, and as soon as the answer is there, a second connection reads the book.
# `StreamingTransport` serves the app as a server does: answers leave when they are sent.
# httpx2's own in-process transport would wait until the app has returned, and hide what we want to see.


# %%
async def signing(path):
    diary.clear()
    async with engine.begin() as book:
        await book.execute(text("drop table if exists guests"))
        await book.execute(text("create table guests (name)"))
    transport = StreamingTransport(NameRequests(app))
    async with AsyncClient(transport=transport, base_url="http://x") as me:
        async with record(title=path, here="guest") as picture:
            answer = await me.post(path)
            diary.append(f"answered {answer.status_code}")
            async with engine.connect() as second:
                found = await second.scalars(
                    text("select * from guests")
                )
                diary.append(f"a second one reads {list(found)}")
            await door.empty()
    await engine.dispose()
    print(*diary, sep="\n")
    return picture


# %% [markdown]
# **Predict.** Put in order: answered, committed, Ann has signed, a second one reads.

# %%
await play(signing("/usual/Ann"))

# %%
await play(signing("/function/Ann"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Usually the answer leaves first, and what comes after the `yield` later (FastAPI since 0.118).
# The second connection reads an empty book, although the guest was told "signed".
# With `scope="function"` (since 0.121) the dependency ends with the endpoint, before the answer leaves.
#
# </details>
#
# **Your turn.** In `get_book()`, raise `RuntimeError("disk full")` where the commit is, and run from there.
# Which of the two guests hears of it?
#
# ## What an error leaves behind
#
# **Predict.** This endpoint writes, and then refuses. Is Bob in the book? And is his connection back?


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
# The error comes out of the `yield`, so the line with the commit is never reached.
# `async with` gives the connection back whatever happens, and what was not committed is undone.
# As many came in as went out.
#
# </details>
#
# ## Who forgets to give back
#
# **Predict.** The pool has two connections, and three guests forget theirs. What does the third one get?


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
                print(guest, "waited in vain:", type(problem).__name__)
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
# The third one waits for `pool_timeout`, 30 seconds unless you say otherwise, and then gets an error.
# In production that looks like a slow database. The database is idle.
#
# </details>
#
# ## The same in real time
#
# At the top of a cell, on the kernel's own loop, with real threads behind aiosqlite: does the order hold?

# %%
real = await signing("/usual/Ann")

# %% tags=["nbval-ignore-output"]
real

# %%
folder.cleanup()

# %% [markdown]
# ## Three lines to keep
#
# - What stands after a `yield` runs after the answer, unless the scope says "function".
# - An error skips the commit, and `async with` gives the connection back all the same.
# - A second connection is the only witness of a commit.
#
# Now sell seats: [lesson 01](../docs/lessons/01_database_session.md), `make lesson-01`.
