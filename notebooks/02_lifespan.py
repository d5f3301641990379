# %% [markdown]
# # 02 · Lifespan, the notebook
#
# **You will see** what runs a lifespan, what it closes when something fails, and what requests get from it.
# Predict before you run a cell.
# The lesson: [02 · Lifespan](../docs/lessons/02_lifespan.md). To run this yourself: `make lesson-02 notebook`.

# %%
import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI, Request
from httpx2 import ASGITransport, AsyncClient
from uvicorn import Config, Server

from workshop.notebooks import play
from workshop.timeline import NameRequests, record

# %% [markdown]
# ## A theatre
#
# A theatre turns on its heating, its light and its music.
# Each of them takes 100 milliseconds to start and 50 to stop, and writes both into the diary.

# %%
diary = []


@asynccontextmanager
async def device(name, broken=()):
    await asyncio.sleep(0.1)
    if name in broken:
        raise RuntimeError(f"no {name}")
    diary.append(f"{name} on")
    try:
        yield name
    finally:
        await asyncio.sleep(0.05)
        diary.append(f"{name} off")


# %%
@asynccontextmanager
async def evening(app):
    async with device("heating"), device("light"):
        yield {"visitors": 0, "names": []}


theatre = FastAPI(lifespan=evening)


@theatre.get("/door")
async def door() -> str:
    diary.append("a visitor")
    return "come in"


# %% [markdown]
# ## What runs it?
#
# **Predict.** A test calls the app through httpx2's in-process transport. What is in the diary?


# %%
def client(app):
    transport = ASGITransport(NameRequests(app))
    return AsyncClient(transport=transport, base_url="http://x")


async with client(theatre) as visitor:
    print(await visitor.get("/door"), diary)

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# A visitor, but no light. The transport only sends requests, and a lifespan is not a request.
# Servers run it, and so does Starlette's `TestClient` in a `with` block. Here we run it ourselves.
#
# </details>
#
# **Predict.** Now the app's lifespan runs as well. In which order are the devices turned off?


# %%
async def night(app, title="A night"):
    diary.clear()
    async with record(title=title, here="theatre") as picture:
        try:
            async with app.router.lifespan_context(app):
                async with client(app) as visitor:
                    await visitor.get("/door")
        except RuntimeError as problem:
            diary.append(f"error: {problem}")
    print(*diary, sep=", ")
    return picture


await play(night(theatre))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The last one first, as brackets close. A device that was started later may need the ones before it.
#
# </details>
#
# ## When starting fails
#
# Here are two lifespans. The first one is written in the usual way: start, start, yield, stop, stop.
#
# **Predict.** The music is broken. With each of them, what is still on when startup has failed?


# %%
@asynccontextmanager
async def by_hand(app):
    heating, music = device("heating"), device("music", {"music"})
    await heating.__aenter__()
    await music.__aenter__()
    yield
    await music.__aexit__(None, None, None)
    await heating.__aexit__(None, None, None)


await play(night(FastAPI(lifespan=by_hand), "By hand"))


# %%
@asynccontextmanager
async def by_stack(app):
    async with AsyncExitStack() as stack:
        for name in ("heating", "music"):
            it = device(name, broken={"music"})
            await stack.enter_async_context(it)
        yield


await play(night(FastAPI(lifespan=by_stack), "By a stack"))

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# By hand, the heating stays on for ever, because the lines after the `yield` are never reached.
# The stack turns off what it has turned on so far, and then raises the error again.
#
# </details>
#
# **Your turn.** In `by_stack`, break the `"heating"` instead and run the cell again. What is turned on, and what off?
#
# ## What requests get
#
# A lifespan may yield a dictionary, and requests find it in `request.state`.
#
# **Predict.** Three visitors come. Which counter and which list of names does each of them get?


# %%
@theatre.get("/enter/{name}")
async def enter(request: Request, name: str):
    request.state.visitors += 1
    request.state.names.append(name)
    return [request.state.visitors, list(request.state.names)]


@asynccontextmanager
async def served(app):
    # As a server does: each request gets a copy of the state.
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope, receive, send):
            scope["state"] = dict(state)
            await app(scope, receive, send)

        async with client(with_state) as visitor:
            yield visitor


# %%
async def three():
    async with served(theatre) as visitor:
        for name in ("Ann", "Bob", "Cy"):
            response = await visitor.get(f"/enter/{name}")
            print(response.json())


await play(three())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Each request has a copy of the dictionary, and therefore a counter of its own, but all copies refer to the same list.
# So put objects into the state, not numbers that have to grow.
#
# </details>
#
# ## A task that outlives its evening
#
# **Predict.** The lifespan creates a task in which a lamp blinks. After which of the two evenings does it continue?


# %%
async def blink():
    while True:
        await asyncio.sleep(0.1)


def blinking(stops):
    @asynccontextmanager
    async def lifespan(app):
        lamp = asyncio.create_task(blink())
        await asyncio.sleep(0.25)
        yield
        if stops:
            lamp.cancel()
            await asyncio.gather(lamp, return_exceptions=True)

    return lifespan


# %%
async def two_evenings():
    async with record(title="Two evenings", here="city") as picture:
        for stops in (False, True):
            app = FastAPI(lifespan=blinking(stops))
            async with app.router.lifespan_context(app):
                await asyncio.sleep(0.1)
    return picture


await play(two_evenings())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# After the first one: its lane continues into the second evening and ends in an arrow.
# Code that creates a task must also stop it, and wait until it has stopped.
#
# </details>
#
# ## A real server, in real time
#
# uvicorn runs on the notebook's event loop here.
# A slow request is still running when the server is told to stop.
#
# **Predict.** Which comes first: the response to that request, or the light going off?


# %%
@theatre.get("/coat")
async def coat() -> str:
    diary.append("asked for a coat")
    await asyncio.sleep(0.2)
    diary.append("coat handed out")
    return "your coat"


# %%
async def closing_time():
    diary.clear()
    config = Config(NameRequests(theatre), port=0, log_level="warning")
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    async with AsyncClient(base_url=url, trust_env=False) as me:
        async with record(title="Closing time", here=None) as picture:
            last = asyncio.create_task(me.get("/coat"))
            while "asked for a coat" not in diary:
                await asyncio.sleep(0.01)
            server.should_exit = True
            await asyncio.gather(last, serving)
    print(*diary, sep=", ")
    return picture


# %%
real = await closing_time()

# %% tags=["nbval-ignore-output"]
real

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# The response. uvicorn (0.54) waits for its requests first and then runs the shutdown.
# So nothing is closed while a request needs it, but a request that never ends keeps the light on.
#
# </details>
#
# ## Three lines to keep
#
# - A server runs the lifespan; an in-process client does not.
# - A block closes what it has opened, in reverse order, even if the next resource fails to open.
# - Each request gets a copy of the state, so share objects. Stop the tasks that you have created.
#
# Now repair a box office: [lesson 02](../docs/lessons/02_lifespan.md), `make lesson-02`.
