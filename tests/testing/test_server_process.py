"""A uvicorn in a process of its own: its output, its children and its end."""

import signal
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from workshop.testing import ServeProcess, StartupError

APP = """
import os
import subprocess
import sys
from contextlib import asynccontextmanager

from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app):
    if os.environ.get("FAILS"):
        raise RuntimeError("no such table")
    yield
    print("the app is closed", flush=True)


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def hello():
    return os.environ.get("GREETING")


@app.post("/children")
async def start():
    # A session of its own: a signal to the server's group does not reach it.
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    return subprocess.Popen(sleeper, start_new_session=True).pid
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def written(text: str) -> Path:
        file = tmp_path / "app.py"
        file.write_text(textwrap.dedent(text), "utf-8")
        return file

    return written


async def test_it_serves_the_file_with_the_environment(
    write: Callable[[str], Path], serve_process: ServeProcess
) -> None:
    async with serve_process(write(APP), env={"GREETING": "hello"}) as server:
        async with server.client() as client:
            response = await client.get("/")
        assert server.exit_code is None

    assert response.json() == "hello"
    assert server.exit_code is not None


async def test_a_server_that_is_asked_to_stop_runs_the_lifespan_to_its_end(
    write: Callable[[str], Path], serve_process: ServeProcess
) -> None:
    async with serve_process(write(APP)) as server:
        server.terminate()
        code = await server.ended()

    assert "the app is closed" in server.output
    if sys.platform != "win32":
        assert code == -signal.SIGTERM


async def test_children_are_found_and_killed_after_their_parent_has_ended(
    write: Callable[[str], Path], serve_process: ServeProcess
) -> None:
    async with serve_process(write(APP)) as server:
        assert server.children() == []
        async with server.client() as client:
            started = await client.post("/children")
        server.terminate()
        await server.ended()
        assert [each.pid for each in server.children()] == [started.json()]

    assert server.children() == []


async def test_a_server_that_does_not_start_shows_what_it_wrote(
    write: Callable[[str], Path], serve_process: ServeProcess
) -> None:
    with pytest.raises(StartupError, match="no such table"):
        async with serve_process(write(APP), env={"FAILS": "yes"}):
            pytest.fail("It has started.")


@pytest.mark.slow
async def test_workers_are_children(
    write: Callable[[str], Path], serve_process: ServeProcess
) -> None:
    async with serve_process(write(APP), workers=2) as server:
        started = sum("startup complete" in line for line in server.output)
        assert started == 2
        assert len(server.children()) >= 2
