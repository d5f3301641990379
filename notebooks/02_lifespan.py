# %% [markdown]
# # 02 · Lifespan, in the laboratory
#
# **You will see** who runs a lifespan, what it closes when something fails, and what requests get of it.
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
# Somebody turns on the heating, the light and the music, in this order.
# Each takes 100 milliseconds to start and 50 to stop, and writes it into the diary.

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
# ## Who runs it?
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
# A visitor, and no light. The transport sends requests, and the lifespan is no request.
# Servers run it, and so does Starlette's `TestClient` in a `with` block. Here we do so by hand.
#
# </details>
#
# **Predict.** Now with its lifespan. In which order do things go off?


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
# The last one first, as brackets close. What was started later may need what was there before.
#
# </details>
#
# ## When starting fails
#
# Here are two lifespans. The first one is written as it often is: start, start, yield, stop, stop.
#
# **Predict.** The music is broken. For each of them: what is still on when the process gives up?


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
# By hand, the heating stays on for ever: nobody comes to the lines behind the `yield`.
# The stack turns off whatever it has turned on so far, and then lets the error go on.
#
# </details>
#
# **Your turn.** In `by_stack`, let the `"heating"` be broken, and run the cell again. What is on, what goes off?
#
# ## What requests get
#
# A lifespan may yield a dictionary, and requests find it in `request.state`.
#
# **Predict.** Three visitors come. What do the counter and the list of names say to each?


# %%
@theatre.get("/enter/{name}")
async def enter(request: Request, name: str):
    request.state.visitors += 1
    request.state.names.append(name)
    return [request.state.visitors, list(request.state.names)]


@asynccontextmanager
async def served(app):
    # What a server does: it hands the state on to each request.
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
            answer = await visitor.get(f"/enter/{name}")
            print(answer.json())


await play(three())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Each request has a copy of the dictionary, so its own counter, and the one list that all copies hold.
# Put objects there, and never a number that shall grow.
#
# </details>
#
# ## A task that outlives its evening
#
# **Predict.** A lamp blinks in a task of the lifespan. In which of the two evenings does it go on afterwards?


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
# In the first one: its lane goes on into the second evening, and ends in an arrow.
# Whoever starts a task is the one to stop it, and to wait until it has stopped.
#
# </details>
#
# ## A real server, in real time
#
# It runs on the notebook's own loop, as uvicorn does on a process's.
# A slow visitor is still being served when the server is told to stop.
#
# **Predict.** What comes first: the visitor's answer, or the light going off?


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
# The answer. uvicorn (0.54) ends its connections first, and then the lifespan.
# So nothing that a request needs is closed too early, and a request that never ends keeps the light on.
#
# </details>
#
# ## Three lines to keep
#
# - A server runs the lifespan, and a client in the same process does not.
# - What is opened in a block is closed by it, in reverse order, also when the next one fails to open.
# - Requests get copies of the state: share objects, and stop what you have started.
#
# Now open a box office: [lesson 02](../docs/lessons/02_lifespan.md), `make lesson-02`.
