# %% [markdown]
# # 04 · Concurrent operations, in a notebook
#
# **You will see** when waiting times overlap, what happens to the other tasks when one fails, and what a timeout stops.
# Predict before you run a cell.
# The lesson: [04 · Concurrent operations](../docs/lessons/04_concurrent_operations.md). To run this yourself: `make lesson-04 notebook`.

# %%
import asyncio
from contextlib import suppress

from workshop.notebooks import play
from workshop.timeline import record

# %% [markdown]
# ## A programme booklet
#
# A booklet has three parts, and each comes from another supplier, who takes a while.
# The part that `broken` names is not ready, so fetching it fails halfway.

# %%
TAKES = {"cast": 0.1, "photo": 0.2, "review": 0.3}


async def fetch(part, broken=""):
    await asyncio.sleep(TAKES[part] / 2)
    if part == broken:
        raise LookupError(f"no {part} yet")
    await asyncio.sleep(TAKES[part] / 2)
    return part


# %% [markdown]
# **Predict.** Here are two ways to fetch two parts. How long does each take?
# (`play()` runs a scene in virtual time, so the lengths are exact and you do not have to wait.)


# %%
async def waiting():
    async with record(title="Awaited", here="booklet") as picture:
        cast, photo = fetch("cast"), fetch("photo")
        await cast
        await photo
    return picture


await play(waiting())


# %%
async def together():
    async with record(title="Tasks", here="booklet") as picture:
        cast = asyncio.create_task(fetch("cast"))
        photo = asyncio.create_task(fetch("photo"))
        await cast
        await photo
    return picture


await play(together())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# 300 milliseconds and 200.
# Calling an `async def` function creates a coroutine, which does not run until it is awaited.
# A task starts by itself in the next turn of the event loop, so the waiting times overlap.
# `gather()` and `TaskGroup` create tasks for you.
#
# </details>
#
# **Your turn.** In `together()`, move `await cast` to directly below the line that creates its task, and run the cell again.
# There are still two tasks. What changes?
#
# ## One of them fails
#
# **Predict.** The photo fails after 100 milliseconds, and the review needs 300.
# When does `gather()` raise the exception, and what does the review do after that?


# %%
async def gathered():
    async with record(title="gather", here="booklet") as picture:
        try:
            await asyncio.gather(
                fetch("photo", broken="photo"), fetch("review")
            )
        except LookupError as problem:
            print("raised:", problem)
        await asyncio.sleep(0.1)  # the page is shown meanwhile
    return picture


await play(gathered())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# `gather()` raises it at 100 milliseconds, and its caller continues.
# The review keeps running, although its result will be discarded: its lane ends in an arrow, which means unfinished.
#
# </details>
#
# **Predict.** Now a `TaskGroup`, with a third part that is quick. What happens to the two parts that do not fail?


# %%
async def grouped():
    async with record(title="TaskGroup", here="booklet") as picture:
        with suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as parts:
                for part in ("cast", "photo", "review"):
                    parts.create_task(fetch(part, broken="photo"))
    return picture


await play(grouped())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The cast arrives just before the photo fails: both are due at 100 milliseconds, and the cast started first.
# The review is cancelled, as the × shows.
# No task is left running, and the exception is raised inside an `ExceptionGroup`. Which status does FastAPI make of that?
#
# </details>
#
# **Your turn.** Make `cast` the broken part, and run the cell again. Which parts still arrive?
#
# ## Three timeouts in a row
#
# **Predict.** Each part may take 150 milliseconds. How long does the customer wait for all three?


# %%
async def one_by_one():
    for part in ("cast", "photo", "review"):
        try:
            async with asyncio.timeout(0.15):
                print(await fetch(part))
        except TimeoutError:
            print(part, "is late")


async def in_a_row():
    async with record(title="A timeout each", here=None) as picture:
        await asyncio.gather(one_by_one())
    return picture


await play(in_a_row())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# 400 milliseconds, and more with every part: timeouts that start one after another add up.
#
# </details>
#
# **Predict.** This helper catches its cancellation in order to clean up. When does its caller get a result?


# %%
async def stubborn():
    try:
        await asyncio.sleep(0.2)
    except asyncio.CancelledError:
        print("cancelled at 100 ms, cleaning up")
        await asyncio.sleep(0.3)
    return "late"


async def ignored():
    async with record(title="Not stopped", here="page") as picture:
        async with asyncio.timeout(0.1):
            print(await asyncio.create_task(stubborn()))
    return picture


await play(ignored())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# After 400 milliseconds, and without a `TimeoutError`, so the caller does not learn that the result is late.
# A timeout cancels its block, and a cancellation is only a request. Code that catches `CancelledError` and continues ignores it.
#
# </details>
#
# ## The same in real time
#
# `record()` also works at the top level of a cell. These lengths are real, so yours differ a little.

# %%
async with record(title="In real time", here="you") as real:
    print(*await asyncio.gather(*map(fetch, TAKES)))

# %% tags=["nbval-ignore-output"]
real

# %% [markdown]
# ## Three lines to keep
#
# - Waiting times overlap if the tasks exist before the first `await`; `async` alone makes nothing concurrent.
# - After an exception, `gather()` leaves the other tasks running, and a `TaskGroup` cancels them.
# - Timeouts in a row add up. A timeout cancels its block, and the code in the block has to stop.
#
# Now ask five venues: [lesson 04](../docs/lessons/04_concurrent_operations.md), `make lesson-04`.
