# %% [markdown]
# # 12 · Threads and processes, the notebook
#
# **You will see** who wakes a sleeping event loop, what two threads do between two lines, and which thread an executor uses.
# Predict before you run a cell.
# The lesson: [12 · Threads and processes](../docs/lessons/12_threads_and_processes.md). To run this yourself: `make lesson-12 notebook`.

# %%
import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress

from workshop.notebooks import play
from workshop.timeline import record

# %% [markdown]
# ## A bell in another thread
#
# A thread rings a bell, and a waiter in the event loop waits for it.
#
# **Predict.** The loop is in debug mode. What does the thread get for each of the two calls?


# %%
async def bell():
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    for name in ("set", "call_soon_threadsafe"):
        rung = asyncio.Event()
        waiter = asyncio.create_task(rung.wait())
        await asyncio.sleep(0)

        def ring(name=name, rung=rung):
            if name == "set":
                rung.set()
            else:
                loop.call_soon_threadsafe(rung.set)

        try:
            await asyncio.to_thread(ring)
            print(f"{name}: the waiter heard it:", await waiter)
        except RuntimeError as error:
            print(f"{name}: {error}")
            waiter.cancel()
    loop.set_debug(False)


await asyncio.create_task(bell())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# `Event.set()` is refused, because it runs in the wrong thread. Without debug mode it would be silent, and the loop would sleep on.
# `call_soon_threadsafe()` wakes the loop, which sets the event in its own thread.
#
# </details>
#
# **Your turn.** Remove `set_debug(True)`. Does the waiter hear the first bell? What woke the loop?
#
# ## Two threads and one seat
#
# Both customers look at the seat before either of them takes it. The barrier makes this happen every time.
#
# **Predict.** How often is the seat sold without a lock, and how often with one?


# %%
def sell_with(lock):
    free, sold = ["seat 1"], []
    looked = threading.Barrier(2)

    def buy():
        with lock:
            seats = list(free)  # the look
            with suppress(threading.BrokenBarrierError):
                looked.wait(0.2)  # the other one looks now, if it can
            if seats:
                free.clear()  # the take
                sold.append(seats[0])

    threads = [threading.Thread(target=buy) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(sold)


print("without a lock:", sell_with(nullcontext()))
print("with a lock:", sell_with(threading.Lock()))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Twice, and once. With the lock, the second customer cannot look before the first one has taken the seat.
#
# </details>
#
# **Your turn.** Replace `with lock:` by `with threading.Lock():`. How often is the seat sold?
#
# ## One thread for a library
#
# Three visitors use a ledger that only one thread may use.
#
# **Predict.** How long does the work take with three threads, and how long with one?


# %%
def write(number):
    time.sleep(0.1)


async def three_entries(workers):
    title = f"Threads: {workers}"
    with ThreadPoolExecutor(workers) as executor:
        async with record(title=title, here=None) as picture:
            loop = asyncio.get_running_loop()
            await asyncio.gather(
                loop.run_in_executor(executor, write, 1),
                loop.run_in_executor(executor, write, 2),
                loop.run_in_executor(executor, write, 3),
            )
    return picture


# %%
await play(three_entries(3))

# %%
await play(three_entries(1))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# 100 ms and 300 ms. The single thread does one job after another.
# This is the price for a library that knows only one thread.
#
# </details>
#
# **Your turn.** Let a visitor write twice, with two jobs. What may come between them?
#
# ## Three points to remember
#
# - Only `call_soon_threadsafe()`, and what is built on it, wakes a loop from another thread.
# - What threads share needs a lock that they share as well.
# - An executor with one worker is one thread with a queue.
#
# Now repair a box office: [lesson 12](../docs/lessons/12_threads_and_processes.md), `make lesson-12`.
