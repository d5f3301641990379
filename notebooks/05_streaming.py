# %% [markdown]
# # 05 · Streaming, in the laboratory
#
# **You will see** when an answer begins, what is sent for an event, and what becomes of a generator whose reader has left.
# Predict before you run a cell.
# The lesson: [05 · Streaming](../docs/lessons/05_streaming.md). To run this yourself: `make lesson-05 notebook`.

# %%
import asyncio
from contextlib import suppress
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from httpx2 import AsyncClient, HTTPError
from uvicorn import Config, Server

from workshop.notebooks import play
from workshop.scenario.transport import StreamingTransport
from workshop.timeline import NameRequests, record

# %% [markdown]
# ## A queue at the counter
#
# Every 100 milliseconds a number is called. Two endpoints tell them.

# %%
app = FastAPI()


async def calls(count=3):
    for number in range(1, count + 1):
        await asyncio.sleep(0.1)
        yield f"number {number}\n"


@app.get("/sheet")
async def sheet() -> str:
    return "".join([call async for call in calls()])


@app.get("/display")
async def display() -> StreamingResponse:
    return StreamingResponse(calls())


# %% [markdown]
# The scene: somebody reads, part by part, and perhaps leaves early.
# `StreamingTransport` serves the app as a server does: parts arrive when they are sent, and who leaves is gone.
# (httpx2's own in-process transport hands an answer over when it is whole, so it cannot stream.)


# %%
def now():
    return f"{asyncio.get_running_loop().time() * 1000:3.0f} ms"


async def reading(path, leave_after=99):
    server = StreamingTransport(NameRequests(app))
    async with AsyncClient(transport=server, base_url="http://x") as me:
        async with record(title=path, here="reader") as picture:
            with suppress(HTTPError):
                await read(me, path, leave_after)
            await server.empty()
            print(now(), "the app is done")
    return picture


async def read(me, path, leave_after):
    async with me.stream("GET", path) as answer:
        print(now(), "status", answer.status_code)
        parts = 0
        async for part in answer.aiter_raw():
            print(now(), part)
            parts += 1
            if parts == leave_after:
                break


# %% [markdown]
# **Predict.** At which moments does the reader of `/sheet` get something? And the one of `/display`?

# %%
await play(reading("/sheet"))

# %%
await play(reading("/display"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The sheet comes at 300 milliseconds, all at once; the display has a status at once, and a part every 100.
# Both lanes are equally long. What differs is when the answer begins, and that the server needs to keep one part only.
#
# </details>
#
# **Your turn.** Call `reading("/display", leave_after=1)` in a new cell. When is the app done now?
#
# ## The status is gone
#
# **Predict.** This one finds out that there is no queue. Which status does its reader see?


# %%
@app.get("/nobody")
async def nobody() -> StreamingResponse:
    async def none():
        raise HTTPException(404, "there is no queue today")
        yield

    return StreamingResponse(none())


await play(reading("/nobody"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# 200, and then the answer breaks off.
# The generator is asked for its first part when the status has left already.
# What can be known before must be found out before: in the endpoint, or in a dependency.
#
# </details>
#
# ## What is an event?
#
# **Predict.** Browsers read Server-Sent Events line by line. What happens to the line break in this text?


# %%
@app.get("/events", response_class=EventSourceResponse)
async def events():
    yield ServerSentEvent(data="door\nB", event="called", id="7")


await play(reading("/events"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# FastAPI's own events (since 0.135) are JSON, so it is written as `\n`, and cannot end the event.
# A hand-made `f"data: {text}\n\n"` would have cut the text in two.
#
# </details>
#
# ## The reader leaves
#
# A display that is not read any more is to be switched off, and that takes 50 milliseconds.
#
# **Predict.** The reader leaves after two numbers. Which of the two lines in `finally` are printed?


# %%
@app.get("/switched")
async def switched() -> StreamingResponse:
    async def shown():
        try:
            async for call in calls(9):
                yield call
        finally:
            print(now(), "switching off ...")
            await asyncio.sleep(0.05)
            print(now(), "... switched off")

    return StreamingResponse(shown())


await play(reading("/switched", leave_after=2))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Only the first one. Starlette cancels the whole scope, so each `await` in it is cancelled again at once.
# Whatever `async with` or `finally` wanted to await is left undone.
#
# </details>
#
# **Predict.** Now a dependency lends the display. What is printed when the reader leaves?


# %%
async def lent():
    yield "the display"
    print(now(), "switching off ...")
    await asyncio.sleep(0.05)
    print(now(), "... switched off")


@app.get("/lent")
async def from_lent(it: Annotated[str, Depends(lent)]):
    return StreamingResponse(calls(9))


await play(reading("/lent", leave_after=2))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Both lines. What stands after the `yield` of a dependency is not part of the cancelled scope.
#
# </details>
#
# ## A real server, in real time
#
# It runs on the notebook's own loop. A reader hears two numbers, and hangs up.
# What is printed is the same.


# %%
async def hang_up():
    config = Config(NameRequests(app), port=0, log_level="warning")
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    async with AsyncClient(base_url=url, trust_env=False) as me:
        async with record(title="Hung up", here="reader") as picture:
            async with me.stream("GET", "/switched") as answer:
                parts = answer.aiter_raw()
                print(await anext(parts), await anext(parts))
                await parts.aclose()
            await asyncio.sleep(0.2)
    server.should_exit = True
    await serving
    return picture


# %%
def now():
    return "in real time:"


real = await hang_up()

# %% tags=["nbval-ignore-output"]
real

# %% [markdown]
# ## Three lines to keep
#
# - A stream begins with its status, so whatever decides the status comes before it.
# - Events of the framework are JSON; hand-made ones break at the first line break.
# - A reader who leaves cancels the generator, and each `await` of its clean-up: clean up in a dependency.
#
# Now sell seats live: [lesson 05](../docs/lessons/05_streaming.md), `make lesson-05`.
