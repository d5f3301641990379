# %% [markdown]
# # 08 · Cancellation and disconnects, the notebook
#
# **You will see** what a cancellation does to an `await`, how two kinds of it differ, and which tasks it reaches.
# Predict before you run a cell.
# The lesson: [08 · Cancellation and disconnects](../docs/lessons/08_cancellation.md). To run this yourself: `make lesson-08 notebook`.

# %%
import asyncio

import anyio

from workshop.notebooks import play
from workshop.timeline import record

# %% [markdown]
# ## A baker who does not want to stop
#
# A loaf takes 200 milliseconds. This baker mistakes every interruption for a failed loaf, so it begins again.


# %%
async def stubborn(interruptions, attempts=3):
    for attempt in range(1, attempts + 1):
        try:
            await asyncio.sleep(0.2)
            return f"loaf {attempt}"
        except BaseException as problem:
            interruptions.append(type(problem).__name__)
            if attempt == attempts:
                raise
    return "no loaf"


# %% [markdown]
# **Predict.** The customer waits for at most 100 milliseconds. What is printed, and when does each block end?


# %%
async def native():
    seen = []
    async with record(
        title="asyncio.timeout", here="customer"
    ) as picture:
        try:
            async with asyncio.timeout(0.1):
                print("got", await stubborn(seen))
        except TimeoutError:
            print("gave up")
    print("interrupted", len(seen), "times")
    return picture


await play(native())


# %%
async def scope():
    seen = []
    async with record(
        title="anyio.fail_after", here="customer"
    ) as picture:
        try:
            with anyio.fail_after(0.1):
                print("got", await stubborn(seen))
        except TimeoutError:
            print("gave up")
    print("interrupted", len(seen), "times")
    return picture


await play(scope())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# `asyncio.timeout()` calls `task.cancel()` once, at 100 milliseconds. The baker swallows that, and the second loaf is complete at 300 milliseconds.
# There is no `TimeoutError`, so the customer does not learn that the loaf is late.
#
# `anyio.fail_after()` cancels a scope, and every `await` in a cancelled scope is interrupted.
# So three attempts end at 100 milliseconds, and the customer gives up in time.
#
# </details>
#
# **Your turn.** Set `attempts` to a thousand. What changes in each cell?
# (With an endless loop the second cell would never end.)
#
# ## A shield has two sides
#
# A delivery is loaded, then noted. The two steps belong together.


# %%
async def deliver(log):
    await asyncio.sleep(0.05)
    log.append("loaded")
    await asyncio.sleep(0.05)
    log.append("noted")


async def cancelled_after_70(work):
    task = asyncio.create_task(work)
    await asyncio.sleep(0.07)
    task.cancel()
    await asyncio.wait({task})


# %% [markdown]
# **Predict.** The task that waits is cancelled after 70 milliseconds. What is in the log when it has ended, and what 50 milliseconds later?


# %%
async def shielded():
    log = []

    async def wait():
        await asyncio.shield(deliver(log))

    async with record(title="shield", here="driver") as picture:
        await cancelled_after_70(wait())
        print("at its end:", log)
        await asyncio.sleep(0.05)
        print("later:     ", log)
    return picture


await play(shielded())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# First `['loaded']`, then `['loaded', 'noted']`.
# `shield()` puts the delivery into a task of its own and keeps the cancellation away from it, but the task that waits is cancelled at once.
# From then on nothing waits for the delivery. If the program ended now, the note would be missing.
#
# </details>
#
# ## Which tasks are cancelled, too?
#
# **Predict.** A task waits for two loaves, and is cancelled after 70 milliseconds. In which of these cases do the loaves end with it?


# %%
async def loaf(log, name):
    await asyncio.sleep(0.1)
    log.append(name)


async def by_gather(log):
    await asyncio.gather(loaf(log, "rye"), loaf(log, "oat"))


async def by_wait(log):
    tasks = [
        asyncio.create_task(loaf(log, name)) for name in ("rye", "oat")
    ]
    await asyncio.wait(tasks)


async def by_group(log):
    async with asyncio.TaskGroup() as bakers:
        for name in ("rye", "oat"):
            bakers.create_task(loaf(log, name))


# %%
async def who():
    async with record(title="Cancelled", here="bakery") as picture:
        for way in (by_gather, by_wait, by_group):
            log = []
            await cancelled_after_70(way(log))
            await asyncio.sleep(0.05)
            print(way.__name__, log)
    return picture


await play(who())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# With `gather()` and with `TaskGroup`. `asyncio.wait()` cancels nothing: both loaves are baked, although nothing waits for them.
#
# </details>
#
# ## Three lines to keep
#
# - `task.cancel()` interrupts one `await`; a scope of anyio interrupts every `await` until it has been left.
# - `shield()` protects the code inside it, but not the code that waits for it.
# - `gather()` and `TaskGroup` cancel their tasks too; `wait()`, `as_completed()` and `shield()` leave them running.
#
# Now let a client disconnect: [lesson 08](../docs/lessons/08_cancellation.md), `make lesson-08`.
