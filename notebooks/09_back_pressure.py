# %% [markdown]
# # 09 · Back-pressure, the notebook
#
# **You will see** how many calls a semaphore lets in, what a queue without a limit costs, and when retries arrive.
# Predict before you run a cell.
# The lesson: [09 · Back-pressure](../docs/lessons/09_back_pressure.md). To run this yourself: `make lesson-09 notebook`.

# %%
import asyncio
import random

from workshop.notebooks import play
from workshop.timeline import record

# %% [markdown]
# ## Two hooks for five coats
#
# The cloakroom has two hooks, and each visitor needs one for 100 milliseconds.
#
# **Predict.** Five visitors come at the same moment. When has the last one finished?


# %%
async def hang_up(hooks):
    async with hooks:
        await asyncio.sleep(0.1)


async def evening(visitors, hooks, title):
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with record(title=title, here=None) as picture:
        async with asyncio.TaskGroup() as group:
            for _ in range(visitors):
                group.create_task(hang_up(hooks))
    print(f"finished after {1000 * (loop.time() - start):.0f} ms")
    return picture


await play(evening(5, asyncio.Semaphore(2), "Two hooks"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# After 300 milliseconds: two visitors, then two, then one.
# No visitor is refused. With 500 visitors, the last one would wait for 25 seconds.
#
# </details>
#
# ## One limit for two counters
#
# The bar has become part of the cloakroom: together, they can serve two visitors at once. A drink takes 10 milliseconds.
#
# **Predict.** Three visitors bring coats, and one orders a drink right after them. When does she get it?
# And if each counter has a limit of its own?


# %%
async def order_drink(barkeepers):
    async with barkeepers:
        await asyncio.sleep(0.01)
    print("the drink is ready")


async def two_counters(hooks, barkeepers, title):
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with record(title=title, here=None) as picture:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(hang_up(hooks))
            drink = group.create_task(order_drink(barkeepers))
            await drink
            waited = 1000 * (loop.time() - start)
    print(f"after {waited:.0f} ms")
    return picture


both = asyncio.Semaphore(2)
await play(two_counters(both, both, "One limit for both"))

# %%
await play(
    two_counters(
        asyncio.Semaphore(2),
        asyncio.Semaphore(2),
        "A limit for each",
    )
)

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# After 110 milliseconds: two coats first. The bar was idle all the time.
# With limits of their own, after 10 milliseconds.
#
# </details>
#
# ## Hooks that come back
#
# A visitor takes a hook, and three different people put it back.
#
# **Predict.** How many visitors can take a hook now: two, four, or is there an error?


# %%
def free(hooks):
    number = 0
    while not hooks.locked():
        hooks._value -= 1
        number += 1
    return number


async def put_back_three_times(kind):
    hooks = kind(2)
    await hooks.acquire()
    try:
        for _ in range(3):
            hooks.release()
    except ValueError as error:
        print(kind.__name__, "says:", error)
    print(kind.__name__, "has", free(hooks), "hooks")


for kind in (asyncio.Semaphore, asyncio.BoundedSemaphore):
    await put_back_three_times(kind)

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# `Semaphore` has four hooks now, and says nothing. `BoundedSemaphore` raises an error at the second release.
# It does so only because all hooks are free: if another visitor still has one, it notices nothing either.
#
# </details>
#
# **Your turn.** Acquire the `BoundedSemaphore` twice, and then release it twice for one of the visitors.
# Is there an error? How many hooks are free, although one visitor still has a hook?
#
# ## A fast writer and a slow reader
#
# Coats arrive every 10 milliseconds, and it takes 50 milliseconds to hang one up. In between they lie on a table.
#
# **Predict.** How many coats are on the table, at most, out of a hundred? And if the table has room for three?


# %%
async def table(size):
    coats, most = asyncio.Queue(maxsize=size), 0

    async def hang_up_coats():
        while True:
            await coats.get()
            await asyncio.sleep(0.05)
            coats.task_done()

    worker = asyncio.create_task(hang_up_coats())
    for number in range(100):
        await asyncio.sleep(0.01)
        await coats.put(number)
        most = max(most, coats.qsize())
    await coats.join()
    worker.cancel()
    print(f"maxsize {size}: at most {most} coats on the table")


await play(table(0))
await play(table(3))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Without a limit, about four of five coats are on the table when the last one arrives.
# With a limit of three, `put()` waits: the people who bring the coats slow down. That is back-pressure.
# Both evenings end at the same time, because hanging up the coats takes as long as before.
#
# </details>
#
# ## Ten visitors come back
#
# The cloakroom was closed at eight. Ten visitors try again, after pauses of one, two and four seconds.
# Others wait for a random time, up to the same length.
#
# **Predict.** In the busiest 100 milliseconds, how many visitors come at once, in both cases?


# %%
def times(pause):
    arrivals = []
    for _ in range(10):
        now = 0.0
        for attempt in range(3):
            now += pause(2**attempt)
            arrivals.append(now)
    return arrivals


def busiest(arrivals):
    return max(
        sum(t <= other < t + 0.1 for other in arrivals)
        for t in arrivals
    )


dice = random.Random(8)
equal = times(lambda most: most)
spread = times(lambda most: dice.uniform(0, most))
print("equal pauses: ", busiest(equal), "at once")
print("random pauses:", busiest(spread), "at once")

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# With equal pauses, all ten come at once, three times. With random pauses only a few do.
# The number of attempts is the same; only the load is spread.
#
# </details>
#
# ## Three points to remember
#
# - A semaphore makes every request wait. Limit the line as well, and refuse the next one at once.
# - A queue without `maxsize` never slows its writer down.
# - With equal pauses, calls that failed together are repeated together.
#
# Now keep the Dome from stopping everybody: [lesson 09](../docs/lessons/09_back_pressure.md), `make lesson-09`.
