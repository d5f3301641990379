# %% [markdown]
# # 04 · Concurrent operations, in the laboratory
#
# **You will see** when two waits overlap, what becomes of the others when one fails, and whom a timeout stops.
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
# It has three parts, and each comes from somebody else, who takes a while.
# The critic has not written yet when `broken` names him.

# %%
TAKES = {"cast": 0.1, "photo": 0.2, "review": 0.3}


async def fetch(part, broken=""):
    await asyncio.sleep(TAKES[part] / 2)
    if part == broken:
        raise LookupError(f"no {part} yet")
    await asyncio.sleep(TAKES[part] / 2)
    return part


# %% [markdown]
# **Predict.** Here are two booklets. How long does each customer wait?
# (`play()` runs a scene in virtual time, so lengths are exact, and nobody has to wait for them.)


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
# Calling an `async def` function makes a coroutine, and nothing runs before it is awaited.
# A task begins by itself at the next turn of the loop, so the waits overlap.
# `gather()` and `TaskGroup` make tasks for you.
#
# </details>
#
# **Your turn.** In `together()`, put `await cast` right behind the line that makes its task, and run the cell again.
# There are still two tasks. What changes?
#
# ## One of them fails
#
# **Predict.** The photo fails after 100 milliseconds, the review needs 300.
# When does the caller of `gather()` hear of it, and what does the review do then?


# %%
async def gathered():
    async with record(title="gather", here="booklet") as picture:
        try:
            await asyncio.gather(
                fetch("photo", broken="photo"), fetch("review")
            )
        except LookupError as problem:
            print("heard:", problem)
        await asyncio.sleep(0.1)  # the page is shown meanwhile
    return picture


await play(gathered())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The caller hears at 100 milliseconds, and goes on.
# The review goes on as well, for nobody: its lane ends in an arrow, as unfinished.
#
# </details>
#
# **Predict.** Now a `TaskGroup`, with a third part that would be quick. What becomes of the two that are well?


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
# The cast is there before anything fails: at 100 milliseconds both are due, and it was first.
# The review is cancelled, which is the ×.
# Nobody is left behind, and the error comes out as a group: what does an endpoint make of that?
#
# </details>
#
# **Your turn.** Let the `cast` be the broken one, and run the cell again. Who is still well?
#
# ## Whose patience?
#
# **Predict.** Each part may take 150 milliseconds. How long can the customer wait for the three?


# %%
async def patient():
    for part in ("cast", "photo", "review"):
        try:
            async with asyncio.timeout(0.15):
                print(await fetch(part))
        except TimeoutError:
            print(part, "is late")


async def each_its_own():
    async with record(title="Patience for each", here=None) as picture:
        await asyncio.gather(patient())
    return picture


await play(each_its_own())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# 400 milliseconds, and it grows with every part: one patience for each is no patience for all.
#
# </details>
#
# **Predict.** This helper means well. When does its customer get an answer?


# %%
async def stubborn():
    try:
        await asyncio.sleep(0.2)
    except asyncio.CancelledError:
        print("asked to stop at 100 ms, and tidying up")
        await asyncio.sleep(0.3)
    return "late"


async def unheard():
    async with record(title="Not stopped", here="page") as picture:
        async with asyncio.timeout(0.1):
            print(await asyncio.create_task(stubborn()))
    return picture


await play(unheard())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# At 400 milliseconds, and without a `TimeoutError`: a late answer, and nobody knows that it is late.
# A timeout cancels, and cancelling only asks. Whoever catches `CancelledError` and goes on, refuses.
#
# </details>
#
# ## The same in real time
#
# `record()` works at the top of a cell, too. The lengths are real ones, so yours differ a little.

# %%
async with record(title="In real time", here="you") as real:
    print(*await asyncio.gather(*map(fetch, TAKES)))

# %% tags=["nbval-ignore-output"]
real

# %% [markdown]
# ## Three lines to keep
#
# - Waits overlap when there are tasks before the first `await`; `async` alone makes nothing concurrent.
# - After an error, `gather()` leaves the others running, and a `TaskGroup` stops them.
# - A timeout is one budget. It asks its work to stop, and the work has to do so.
#
# Now ask five venues: [lesson 04](../docs/lessons/04_concurrent_operations.md), `make lesson-04`.
