# %% [markdown]
# # 10 · WebSockets, the notebook
#
# **You will see** what happens to a loop over a list that changes, which task waits for a slow reader, and which of two jobs ends first.
# Predict before you run a cell.
# The lesson: [10 · WebSockets](../docs/lessons/10_websockets.md). To run this yourself: `make lesson-10 notebook`.

# %%
import asyncio

from workshop.notebooks import play
from workshop.timeline import record

# %% [markdown]
# ## A guest leaves during the toast
#
# The waiter goes through the list of guests and pours for ten milliseconds for each one. Ann leaves after 15.
#
# **Predict.** Who gets no wine: Ann, Bob, Cleo, or nobody?


# %%
async def pour(guests, copy):
    served = []

    async def ann_leaves():
        await asyncio.sleep(0.015)
        guests.remove("Ann")

    leaving = asyncio.create_task(ann_leaves())
    for guest in [*guests] if copy else guests:
        await asyncio.sleep(0.01)
        served.append(guest)
    await leaving
    print("served:", *served)


await play(pour(["Ann", "Bob", "Cleo", "Dora"], copy=False))
await play(pour(["Ann", "Bob", "Cleo", "Dora"], copy=True))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Cleo. When Ann is removed, every guest behind her moves up by one, and the loop continues at the next position.
# A loop over a copy serves every guest who was there at the beginning.
#
# </details>
#
# ## The slow drinker
#
# Each guest has one glass. The waiter fills it when it is empty. Cleo needs 100 milliseconds for a glass, the others 10.
#
# **Predict.** When does Bob get his third glass, if the waiter goes from guest to guest? And if there is a waiter for each guest?


# %%
DRINKS = {"Cleo": 0.1, "Bob": 0.01}


async def drink(guest):
    await asyncio.sleep(DRINKS[guest])


async def one_waiter():
    start = asyncio.get_running_loop().time()
    async with record(title="One waiter", here=None) as picture:
        for _ in range(3):
            for guest in DRINKS:
                await drink(guest)
        now = asyncio.get_running_loop().time()
    print(f"Bob's third glass: {1000 * (now - start):.0f} ms")
    return picture


await play(one_waiter())


# %%
async def a_waiter_each():
    start = asyncio.get_running_loop().time()

    async def wait_on(guest):
        for _ in range(3):
            await drink(guest)
        now = asyncio.get_running_loop().time()
        print(f"{guest}'s third: {1000 * (now - start):.0f} ms")

    async with record(title="A waiter each", here=None) as picture:
        async with asyncio.TaskGroup() as group:
            for guest in DRINKS:
                group.create_task(wait_on(guest))
    return picture


await play(a_waiter_each())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# After 330 milliseconds with one waiter: he waits for Cleo three times. With a waiter each, after 30.
#
# </details>
#
# ## A tray with room for three
#
# The kitchen puts a dish on Cleo's tray every 10 milliseconds, and she takes one every 50.
#
# **Predict.** Which dish does not fit any more: the fourth, the fifth, or the tenth?


# %%
async def kitchen():
    tray = asyncio.Queue(maxsize=3)

    async def cleo_eats():
        while True:
            await tray.get()
            await asyncio.sleep(0.05)

    eating = asyncio.create_task(cleo_eats())
    for dish in range(1, 20):
        try:
            tray.put_nowait(dish)
        except asyncio.QueueFull:
            print("no room for dish", dish)
            break
        await asyncio.sleep(0.01)
    eating.cancel()


await play(kitchen())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The fifth: Cleo has taken the first one, and three are on the tray.
# `put_nowait()` never waits, so the kitchen finds out at once.
#
# </details>
#
# **Your turn.** Let Cleo eat as fast as the kitchen cooks. How small can the tray be?
#
# ## Music until the last guest leaves
#
# The band plays a song every 30 milliseconds. The guest leaves after 100.
#
# **Predict.** How many songs are played, and what does the band do at the end?


# %%
async def band():
    songs = 0
    try:
        while True:
            await asyncio.sleep(0.03)
            songs += 1
    finally:
        print(songs, "songs, then the band packs up")


async def guest():
    await asyncio.sleep(0.1)


async def evening():
    jobs = {asyncio.create_task(band()), asyncio.create_task(guest())}
    async with record(title="An evening", here=None) as picture:
        await asyncio.wait(jobs, return_when="FIRST_COMPLETED")
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
    return picture


await play(evening())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Three. The guest ends first, so the band is cancelled, and its `finally` runs before `gather()` returns.
# This is how an endpoint that only sends learns that its client has left: one job sends, the other one receives.
#
# </details>
#
# ## Three points to remember
#
# - Iterate over a copy if other tasks can change the list while you await.
# - Wait for a slow reader in a task of its own, behind a queue with a limit.
# - Run two jobs, and when one has ended, cancel the other.
#
# Now keep Bob's battery from disconnecting Ann: [lesson 10](../docs/lessons/10_websockets.md), `make lesson-10`.
