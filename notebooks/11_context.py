# %% [markdown]
# # 11 · Context and middleware, the notebook
#
# **You will see** when a context is copied, what a reset does not reach, why a worker does not see the name of a request, and where a token cannot be used.
# Predict before you run a cell.
# The lesson: [11 · Context and middleware](../docs/lessons/11_context.md). To run this yourself: `make lesson-11 notebook`.

# %%
import asyncio
import contextvars

from workshop.notebooks import play
from workshop.timeline import record

badge = contextvars.ContextVar("badge", default="nobody")

# %% [markdown]
# ## Three visitors at the cloakroom
#
# Each visitor puts on a badge, waits for a moment, and reads it.
#
# **Predict.** Which three names are printed? And with a variable of the module instead?


# %%
async def visit(name):
    badge.set(name)
    await asyncio.sleep(0.01)
    print(name, "reads", badge.get())


async def evening():
    async with record(title="Three visitors", here=None) as picture:
        await asyncio.gather(visit("Ann"), visit("Bob"), visit("Cleo"))
    print("the house reads", badge.get())
    return picture


await play(evening())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Each reads her own name, and the house reads "nobody".
# `gather()` makes a task of each coroutine, and each task has a copy of the context.
# With a variable of the module, all three would read "Cleo".
#
# </details>
#
# **Your turn.** Replace `gather()` with three lines `await visit(…)`. What does the house read now? Why?
#
# ## Two kinds of threads
#
# **Predict.** Ann wears a badge. Which name does each thread read?


# %%
async def threads():
    badge.set("Ann")
    print("to_thread:", await asyncio.to_thread(badge.get))
    loop = asyncio.get_running_loop()
    name = await loop.run_in_executor(None, badge.get)
    print("run_in_executor:", name)
    await asyncio.to_thread(badge.set, "Bob")
    print("afterwards:", badge.get())


await asyncio.create_task(threads())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# "Ann" and "nobody": only `to_thread()` copies the context. What a thread sets in its copy stays there.
#
# </details>
#
# ## A worker
#
# One porter brings all coats. He starts before the first visitor comes.
#
# **Predict.** Which names does he read?


# %%
async def porter(coats):
    while True:
        coat = await coats.get()
        await asyncio.sleep(0.05)
        print("the porter brings", coat, "for", badge.get())
        coats.task_done()


async def send_for(coats, name):
    badge.set(name)
    await asyncio.sleep(0.01)
    await coats.put(f"the coat of {name}")


# %%
async def cloakroom():
    coats = asyncio.Queue()
    async with record(title="A porter", here=None) as picture:
        worker = asyncio.create_task(porter(coats))
        await asyncio.gather(
            send_for(coats, "Ann"), send_for(coats, "Bob")
        )
        await coats.join()
        worker.cancel()
    return picture


await play(cloakroom())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# "nobody", twice. The context of the porter was copied when his task was created.
#
# </details>
#
# **Your turn.** Put the name into the queue together with the coat, and let the porter call `badge.set()`.
#
# ## A reset that comes too late
#
# Ann asks the doorkeeper to open the door again, and then gives her badge back.
#
# **Predict.** Which name does the next visitor read?


# %%
async def ann_and_the_next():
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def open_door():
        print("the next visitor reads", badge.get())
        done.set()

    token = badge.set("Ann")
    loop.call_soon(open_door)
    badge.reset(token)
    print("Ann reads", badge.get())
    await done.wait()


await asyncio.create_task(ann_and_the_next())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# "Ann": `call_soon()` has copied the context before the reset.
# A server that keeps reading a socket during a request does the same, and starts the next request there.
#
# </details>
#
# ## A token in another task
#
# A guide puts on a badge for a tour, and returns it at the end.
# One visitor sees the whole tour. Another visitor sees only the stage, and lets a friend end the tour.
#
# **Predict.** What does the guide print at the end of each tour?


# %%
async def tour():
    token = badge.set("the guide")
    try:
        yield "the stage"
        yield "the roof"
    finally:
        try:
            badge.reset(token)
            print("the badge is returned")
        except ValueError as error:
            print("ValueError: …", str(error).partition(" was ")[2])


# %%
async def end(places):
    await places.aclose()


async def two_visitors():
    async for place in tour():
        print("the first visitor sees", place)
    places = tour()
    print("the second visitor sees", await anext(places))
    await asyncio.create_task(end(places))


await asyncio.create_task(two_visitors())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The first badge is returned. The second is not: the friend is another task, with another context, and a token is valid only in the context in which it was created.
# A generator has no context of its own: each part of it runs in the context of the task that asks for the next item.
#
# </details>
#
# **Your turn.** Let the second visitor call `end()` without a task. What changes?
#
# ## Three points to remember
#
# - A task, a callback and `to_thread()` copy the context when they are created.
# - What is set in a copy is not seen outside, and a token from outside is not valid there.
# - A copy keeps its values, even if the original is reset later.
#
# Now find the right name for each line: [lesson 11](../docs/lessons/11_context.md), `make lesson-11`.
