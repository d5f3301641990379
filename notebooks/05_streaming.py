# %% [markdown]
# # 05 · Streaming, the notebook
#
# **You will see** when a response starts, what is sent for an event, and what happens to a generator whose client has disconnected.
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
# ## Numbers at the counter
#
# Every 100 milliseconds a number is called. Two endpoints return the numbers.

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
# A client reads the response part by part, and perhaps disconnects early.
# `StreamingTransport` serves the app as a server does: each part arrives when it is sent, and the app is informed of a disconnect.
# (httpx2's own in-process transport returns a response only when it is complete, so it cannot stream.)


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
# **Predict.** When does the client of `/sheet` get something? And the client of `/display`?

# %%
await play(reading("/sheet"))

# %%
await play(reading("/display"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The sheet arrives at 300 milliseconds, all at once. The display gets its status at once, and a part every 100 milliseconds.
# Both requests take equally long. They differ in when the response starts, and in how much the server keeps in memory: the display needs only one part at a time.
#
# </details>
#
# **Your turn.** Call `reading("/display", leave_after=1)` in a new cell. When is the app done now?
#
# ## The status has been sent
#
# **Predict.** This generator raises a 404. Which status does the client get?


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
# 200, and then the response breaks off.
# The generator is asked for its first part after the status has been sent.
# Whatever decides the status has to come earlier: in the endpoint, or in a dependency.
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
# The data of FastAPI's events (since 0.135) is JSON, so the line break is written as `\n` and cannot end the field.
# With `f"data: {text}\n\n"`, the browser would have ignored the second line of the text.
#
# </details>
#
# ## The client disconnects
#
# A display is switched off when its client has disconnected, and that takes 50 milliseconds.
#
# **Predict.** The client disconnects after two numbers. Which of the two lines in `finally` are printed?


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
# Only the first one. Starlette cancels the scope that the stream runs in, so every `await` in it is cancelled again at once.
# If an `async with` or a `finally` has to await something, it does not finish.
#
# </details>
#
# **Predict.** Now a dependency provides the display. What is printed when the client disconnects?


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
# Both lines. The code after the `yield` of a dependency does not run in the cancelled scope.
#
# </details>
#
# ## A real server, in real time
#
# The server runs on the notebook's own event loop. A client reads two numbers and disconnects.
# The output is the same.


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
# ## Three things to keep
#
# - The status is sent before the generator starts, so decide it earlier.
# - The framework writes the data of an event as JSON; a string by hand breaks at the first line break.
# - A disconnect cancels the generator and every `await` of its clean-up, so clean up in a dependency.
#
# Now stream the sales of a show: [lesson 05](../docs/lessons/05_streaming.md), `make lesson-05`.
