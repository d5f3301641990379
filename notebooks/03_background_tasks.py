# %% [markdown]
# # 03 · Background tasks, the notebook
#
# **You will see** when background work runs, what it blocks, and where its failure is reported.
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
# Visitors report what they have lost. The response is quick, but searching a row of the hall afterwards takes 200 milliseconds.
# The diary lists the events in order, with the time of the recording's own clock.

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
# In this scene a visitor sends a report, and the next one as soon as the response has arrived.
# `StreamingTransport` serves the app as a server does: it delivers a response when the app sends it.


# %%
async def visit(*paths):
    diary.clear()
    server = StreamingTransport(NameRequests(app))
    async with AsyncClient(transport=server, base_url="http://x") as me:
        async with record(title=paths[0], here="visitor") as picture:
            for path in paths:
                answer = await me.post(path)
                note(f"{path} got a {answer.status_code}")
            await server.empty()
    print(*diary, sep="\n")
    return picture


# %% [markdown]
# **Predict.** Two rows have to be searched. Do the searches overlap? When does the visitor get the response?

# %%
await play(visit("/lost/AB"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The response is sent first, and the visitor reads it in the next turn of the event loop.
# The searches run one after another in the request's own task. They have no tasks of their own, so they do not overlap.
#
# </details>
#
# **Predict.** Row C is locked, so its search fails. What happens to row D?

# %%
await play(visit("/lost/BCD"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# It is not searched. The first exception ends the list of background tasks. The visitor has got a 200 all the same.
#
# </details>
#
# **Your turn.** Catch the `LookupError` in `search()`, note it, and run the cells from there again.
# What is in the diary now? Who would read it in production?
#
# ## A test sees something else
#
# **Predict.** Tests use httpx2's in-process transport. When does it return the response?


# %%
async def as_a_test():
    transport = ASGITransport(NameRequests(app))
    async with AsyncClient(
        transport=transport, base_url="http://x"
    ) as me:
        diary.clear()
        async with record(title="As a test", here="test") as picture:
            await me.post("/lost/A")
            note("the test has the response")
    print(*diary, sep="\n")
    return picture


await play(as_a_test())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# At 200 milliseconds: it returns when the app has returned, and the background tasks are part of that call.
# A test with this transport cannot see that a visitor gets the response earlier.
#
# </details>
#
# ## What it blocks
#
# **Predict.** Reading an old metal detector blocks for 200 milliseconds. One version is `async def`, the other is `def`.
# When does the second request of each pair get its response?


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
# The `async def` version runs on the event loop and blocks it. Even the response that was sent before is read late.
# The `def` version runs in a thread. "Background" does not mean elsewhere; it means later.
#
# </details>
#
# ## An exception drops the tasks
#
# **Predict.** This endpoint adds a task and then raises an exception. Is row A searched?


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
# No. Background tasks belong to the response that the endpoint returns. After an exception another response is sent, which has none.
#
# </details>
#
# ## A task without a reference
#
# **Predict.** `create_task()` starts a search that fails. Where is that reported, and when?


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
        note("the task is removed")
    print(*diary, sep="\n")
    return picture


# %%
await play(forgotten())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# In the log, when the task object is removed. As long as a reference to it exists and its result is not read, nothing is reported.
# A task without any reference may even be removed before it is done.
#
# </details>
#
# ## The same in real time
#
# This cell runs on the kernel's own event loop. The order is the same, but the times are real.

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
# - Background tasks run after the response, one after another, in the same process and on the same event loop.
# - The first exception ends the list, and an exception in the endpoint drops the whole list.
# - Keep a reference to every task that you create, and log its exception.
#
# Now send confirmations: [lesson 03](../docs/lessons/03_background_tasks.md), `make lesson-03`.
