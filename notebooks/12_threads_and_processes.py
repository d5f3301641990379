# %% [markdown]
# # 12 · Threads and processes, the notebook
#
# DRAFT: what a learner will see here.
# Predict before you run a cell.
# The lesson: [12 · Threads and processes](../docs/lessons/12_threads_and_processes.md). To run this yourself: `make lesson-12 notebook`.

# %%
import asyncio

from workshop.notebooks import play
from workshop.timeline import record

# %% [markdown]
# ## Two customers
#
# DRAFT: the lesson's pattern in another small example, never a line of the solution.
# `play()` runs a scene in virtual time, so that its picture is always the same.


# %%
async def customer(name, seconds):
    await asyncio.sleep(seconds)
    print(name, "has a ticket")


async def in_turn():
    async with record(title="In turn", here=None) as picture:
        await customer("Ann", 0.2)
        await customer("Ben", 0.1)
    return picture


async def side_by_side():
    async with record(title="Side by side", here=None) as picture:
        ann, ben = customer("Ann", 0.2), customer("Ben", 0.1)
        await asyncio.gather(ann, ben)
    return picture


# %% [markdown]
# **Predict.** One after the other: who has a ticket first?

# %%
await play(in_turn())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Ann: Ben's turn begins when hers is over.
#
# </details>
#
# **Predict.** And side by side?

# %%
await play(side_by_side())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Ben: his wait is shorter, and both wait at the same time.
#
# </details>
#
# **Your turn.** DRAFT: one thing to change, and what to look for.
#
# ## Three lines to keep
#
# - DRAFT: the first.
# - DRAFT: the second.
# - DRAFT: the third.
#
# Now repair a box office: [lesson 12](../docs/lessons/12_threads_and_processes.md), `make lesson-12`.
