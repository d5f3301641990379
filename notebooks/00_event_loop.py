# %% [markdown]
# # 00 · The event loop, the notebook
#
# **You will see** which code blocks the event loop, which requests wait for it, and how to avoid that.
# Predict before you run a cell: you learn more from a wrong guess than from none.
# The lesson: [00 · The event loop](../docs/lessons/00_event_loop.md). To run this yourself: `make lesson-00 notebook`.

# %%
import asyncio
import time
from contextlib import closing

from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from workshop.notebooks import play
from workshop.timeline import NameRequests, record

# %% [markdown]
# ## Three ways to wait
#
# A cloakroom needs 200 milliseconds to find a coat.
# Three endpoints wait for it in different ways. A fourth tells the time.

# %%
app = FastAPI()


@app.get("/asleep")
async def asleep() -> str:
    time.sleep(0.2)
    return "your coat"


@app.get("/awaiting")
async def awaiting() -> str:
    await asyncio.sleep(0.2)
    return "your coat"


@app.get("/def")
def in_a_thread() -> str:
    time.sleep(0.2)
    return "your coat"


@app.get("/clock")
async def clock() -> str:
    return "half past seven"


# %% [markdown]
# In this scene a customer requests a coat, and 50 milliseconds later two others request the time.
# `play()` runs the scene in virtual time: a sleep of 200 milliseconds moves the scene's clock, but takes no real time.
# So you get the picture shown here, however busy your machine is.


# %%
async def ask(client, path, at=0.0):
    await asyncio.sleep(at)
    await client.get(path)
    heard.append(path)


async def cloakroom(path):
    transport = ASGITransport(NameRequests(app))
    async with (
        AsyncClient(transport=transport, base_url="http://x") as client,
        record(title=f"GET {path}", here=None) as picture,
    ):
        await asyncio.gather(
            ask(client, path),
            ask(client, "/clock", at=0.05),
            ask(client, "/clock", at=0.05),
        )
    return picture


# %% [markdown]
# **Predict.** `/asleep` calls `time.sleep(0.2)`. In which order do the three requests get their responses?

# %%
heard = []
picture = await play(cloakroom("/asleep"))
print("answered:", *heard)
picture

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The coat comes first, then both clocks.
# Both clock requests were ready at 50 milliseconds; the dotted bars show how long they had to wait.
# `time.sleep()` blocks the thread, and the event loop has only this one.
#
# </details>
#
# **Predict.** Now the same scene with `/awaiting`, then with `/def`. What changes?

# %%
heard = []
picture = await play(cloakroom("/awaiting"))
print("answered:", *heard)
picture

# %%
heard = []
picture = await play(cloakroom("/def"))
print("answered:", *heard)
picture

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Neither blocks the event loop, so both clocks get their response at once.
# `/awaiting` waits on the event loop, and `/def` waits in a thread: look at the rounded bar.
# FastAPI runs every `def` endpoint in a thread.
#
# </details>
#
# **Your turn.** In `asleep()`, change the call to `time.sleep(0.02)`, then run its cell and the scene again.
# What changes, and would a customer notice?
# Then let twenty customers request their coats.
#
# ## An `await` before the work does not help
#
# **Predict.** `polite()` has an `await` before its long work. Does this help the other task?


# %%
async def polite() -> None:
    await asyncio.sleep(0)
    time.sleep(0.2)  # or any computation


async def turn():
    async with record(title="One turn for you", here=None) as picture:
        await asyncio.gather(polite(), asyncio.sleep(0.05))
    return picture


await play(turn())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Other tasks run once at the `await`, and then not until the work is done.
# What matters is how long the code runs between two awaits that really wait.
#
# </details>
#
# ## The same in real time
#
# A notebook's kernel already runs an event loop, so you can write `await` at the top level of a cell.
# The times here are real, so yours differ a little. You can record your own code in this way.

# %%
heard = []
real = await cloakroom("/def")
print("answered:", *heard)

# %% tags=["nbval-ignore-output"]
real

# %% [markdown]
# **Predict.** Scripts start their event loop with `asyncio.run()`. What does it do here?

# %% tags=["raises-exception"]
with closing(asyncio.sleep(0)) as nap:
    asyncio.run(nap)

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# It raises an exception, because this thread already runs an event loop.
# In a notebook, and in any `async` function, use `await` instead.
#
# </details>
#
# ## Three points to remember
#
# - The event loop is one thread: between two awaits that wait, no other code runs on it.
# - Dots mean ready but waiting. The stripes above them show the code that blocks.
# - `def` endpoints wait in threads, and `async def` endpoints wait on the event loop.
#
# Now repair a box office: [lesson 00](../docs/lessons/00_event_loop.md), `make lesson-00`.
