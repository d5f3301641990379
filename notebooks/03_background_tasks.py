# %% [markdown]
# # 03 · Background tasks, in the laboratory
#
# **You will see** when work runs that nobody waits for, whom it holds up, and who hears of its failure.
# Predict before you run a cell.
# The lesson: [03 · Background tasks](../docs/lessons/03_background_tasks.md). To run this yourself: `make lesson-03 notebook`.

# %%
import asyncio
import gc
import logging
import time

from fastapi import BackgroundTasks, FastAPI, HTTPException
from httpx2 import ASGITransport, AsyncClient

from workshop.notebooks import play
from workshop.scenario.transport import StreamingTransport
from workshop.timeline import NameRequests, record

# %% [markdown]
# ## A lost glove
#
# Visitors report what they have lost. The answer is quick; searching the hall afterwards takes 200 milliseconds.
# The diary has everything in its order, with the scene's own clock.

# %%
diary = []


def note(what):
    now = asyncio.get_running_loop().time()
    diary.append(f"{now * 1000:3.0f} ms  {what}")


async def search(row):
    note(f"searching row {row}")
    await asyncio.sleep(0.2)
    if row == "C":
        raise LookupError("row C is locked")
    note(f"row {row} is searched")


# %%
app = FastAPI()


@app.post("/lost/{rows}")
async def lost(rows: str, later: BackgroundTasks) -> str:
    for row in rows:
        later.add_task(search, row)
    note("thank you")
    return "we will look for it"


# %% [markdown]
# The scene: a visitor reports, and calls again as soon as the answer is there.
# `StreamingTransport` serves the app as a server does: an answer leaves when it is sent.


# %%
async def visit(*paths):
    diary.clear()
    server = StreamingTransport(NameRequests(app))
    async with AsyncClient(transport=server, base_url="http://x") as me:
        async with record(title=paths[0], here="visitor") as picture:
            for path in paths:
                answer = await me.post(path)
                note(f"{path} was answered {answer.status_code}")
            await server.empty()
    print(*diary, sep="\n")
    return picture


# %% [markdown]
# **Predict.** Two rows are to be searched. Do the searches overlap? And when does the visitor have an answer?

# %%
await play(visit("/lost/AB"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The answer leaves first, and the visitor reads it at the next turn of the loop.
# The searches follow one another, in the request's own task: no task of theirs, no overlap.
#
# </details>
#
# **Predict.** Row C is locked, so its search fails. What becomes of row D?

# %%
await play(visit("/lost/BCD"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Nobody searches it. The list of background tasks ends at the first error, and the visitor was told 200.
#
# </details>
#
# **Your turn.** Catch the `LookupError` in `search()`, note it, and run the cells from there again.
# What is in the diary now, and who reads it?
#
# ## A test sees something else
#
# **Predict.** httpx2's in-process transport is what tests use. When does it say that the answer is there?


# %%
async def as_a_test():
    transport = ASGITransport(NameRequests(app))
    async with AsyncClient(
        transport=transport, base_url="http://x"
    ) as me:
        diary.clear()
        async with record(title="As a test", here="test") as picture:
            await me.post("/lost/A")
            note("answered")
    print(*diary, sep="\n")
    return picture


await play(as_a_test())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# At 200 milliseconds: it returns when the app has returned, and background tasks are part of the app's call.
# A test with it cannot see that a visitor had the answer before.
#
# </details>
#
# ## Whom it holds up
#
# **Predict.** An old metal detector blocks for 200 milliseconds. One version is `async def`, one is `def`.
# When is the second request of each pair answered?


# %%
async def detector_async():
    time.sleep(0.2)


def detector_def():
    time.sleep(0.2)


@app.post("/scan/{kind}")
async def scan(kind: str, later: BackgroundTasks) -> None:
    later.add_task(detector_async if kind == "async" else detector_def)


# %%
await play(visit("/scan/async", "/lost/-"))

# %%
await play(visit("/scan/def", "/lost/-"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The `async def` one runs on the loop, and keeps it. Even the answer that has left is read late.
# The `def` one runs in a thread. "Background" does not mean somewhere else, it means later.
#
# </details>
#
# ## An error takes them along
#
# **Predict.** This endpoint adds a task, and then refuses. Is row A searched?


# %%
@app.post("/closed/{row}")
async def closed(row: str, later: BackgroundTasks) -> None:
    later.add_task(search, row)
    raise HTTPException(423, "the hall is closed")


await play(visit("/closed/A"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# No. Background tasks hang on the answer of the endpoint, and an exception makes another answer.
#
# </details>
#
# ## Nobody waits
#
# **Predict.** `create_task()` starts a search that fails. Who hears of it, and when?


# %%
class Heard(logging.Handler):
    def emit(self, entry):
        diary.append(f"log: {entry.getMessage().splitlines()[0]}")


async def forgotten():
    diary.clear()
    logging.getLogger("asyncio").handlers = [Heard()]
    async with record(title="Forgotten", here="endpoint") as picture:
        task = asyncio.create_task(search("C"))
        await asyncio.sleep(0.3)
        note("still nothing")
        del task
        gc.collect()
        note("now it is thrown away")
    print(*diary, sep="\n")
    return picture


# %%
await play(forgotten())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The log, when the task is thrown away: as long as somebody keeps it and does not ask, nobody hears anything.
# A task that nobody keeps may even be thrown away before it is done.
#
# </details>
#
# ## The same in real time
#
# At the top of a cell, on the kernel's own loop. The order is the same, and the lengths are real ones.

# %%
diary.clear()
async with record(title="In real time", here="you") as real:
    searches = [asyncio.create_task(search(row)) for row in "AB"]
    await asyncio.wait(searches)
print(*(line.split("  ")[1] for line in diary), sep="\n")

# %% tags=["nbval-ignore-output"]
real

# %% [markdown]
# ## Three lines to keep
#
# - Background tasks run after the answer, one after another, in the same process and on the same loop.
# - The first error ends the list, and an error of the endpoint drops all of it.
# - A task that nobody keeps has nobody who hears of it.
#
# Now send confirmations: [lesson 03](../docs/lessons/03_background_tasks.md), `make lesson-03`.
