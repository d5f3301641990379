# %% [markdown]
# # 00 · The event loop, in the laboratory
#
# **You will see** who holds the loop, who waits for it, and what gives it back.
# Predict before you run a cell: a wrong guess teaches more than a right one.
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
# Here are three endpoints that wait for it, and a clock on the wall.

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
# A scene: somebody wants a coat, and 50 milliseconds later two others ask for the time.
# `play()` runs it in virtual time: sleeping takes as long as it says on the scene's clock, and nothing on yours.
# So your picture is the one that is shown here, whatever your machine is doing.


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
# **Predict.** `/asleep` calls `time.sleep(0.2)`. In which order are the three answered?

# %%
heard = []
picture = await play(cloakroom("/asleep"))
print("answered:", *heard)
picture

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The coat comes first, and both clocks after it.
# They were ready at 50 milliseconds; the dotted bars are the time they lost.
# `time.sleep()` keeps the thread, and the loop has only this one.
#
# </details>
#
# **Predict.** Now the same with `/awaiting`, and then with `/def`. What changes?

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
# Both give the loop back, so the clocks are answered at once.
# The first one waits on the loop, the second one in a thread: look at the rounded bar.
# FastAPI does that with every `def` endpoint.
#
# </details>
#
# **Your turn.** In `asleep()`, make it `time.sleep(0.02)` and run its cell and the scene again.
# What changes, and would a customer notice?
# Then let twenty customers ask for their coats.
#
# ## An `await` is no promise
#
# **Predict.** `polite()` has an `await` before its long work. Does it help the clock?


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
# Others get one turn at the `await`, and then nobody until the work is done.
# What counts is the stretch between two awaits that really wait.
#
# </details>
#
# ## The same in real time
#
# In a notebook the kernel's own loop is at hand: `await` works at the top of a cell.
# Here lengths are real ones, so yours differ a little. This is how you record code of your own.

# %%
heard = []
real = await cloakroom("/def")
print("answered:", *heard)

# %% tags=["nbval-ignore-output"]
real

# %% [markdown]
# **Predict.** `asyncio.run()` is how scripts begin. What does it do here?

# %% tags=["raises-exception"]
with closing(asyncio.sleep(0)) as nap:
    asyncio.run(nap)

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# It would start a second loop in a thread that has one, and refuses.
# In a notebook, and in any `async` function, `await` it instead.
#
# </details>
#
# ## Three lines to keep
#
# - The loop is one thread: between two awaits that wait, nobody else runs.
# - Dots mean ready and waiting; look up, and the stripes above them are the cause.
# - `def` endpoints wait in threads, `async def` endpoints wait on the loop.
#
# Now repair a box office: [lesson 00](../docs/lessons/00_event_loop.md), `make lesson-00`.
