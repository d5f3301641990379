"""The room's FastAPI app."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from workshop import paths
from workshop.lesson import Catalogue
from workshop.processes.temporary import temporary_folder
from workshop.room.server.archives import Archives
from workshop.room.server.course import CourseLesson, course_of
from workshop.room.server.limits import BODY_BYTES, SecurityHeaders
from workshop.room.server.problems import handle_problems
from workshop.room.server.routes import board, bundle, learners, lesson_pages, phones
from workshop.room.server.service import room_service
from workshop.room.server.settings import Settings
from workshop.room.server.site_files import SiteFiles
from workshop.room.server.templates import STATIC


def create_app(settings: Settings, course: Mapping[str, CourseLesson]) -> FastAPI:
    """Return the app with these *settings*, for the lessons of *course*."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            cache = stack.enter_context(temporary_folder("room"))
            bundle = Path(settings.bundle) if settings.bundle else None
            app.state.archives = Archives(bundle, cache) if bundle else None
            service = await stack.enter_async_context(room_service(settings, course))
            app.state.service = service
            loop = asyncio.get_running_loop()
            close = partial(loop.call_soon_threadsafe, service.streams.close)
            with _before_signals(close):
                yield

    app = FastAPI(
        title="The room",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    # FastAPI's own `max_body_size` would send its response without security headers.
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=BODY_BYTES)
    app.add_middleware(SecurityHeaders)
    for module in (learners, board, phones, bundle, lesson_pages):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=STATIC), "static")
    app.mount("/course", SiteFiles(settings), "course")
    handle_problems(app)
    return app


def create_app_of_worker() -> FastAPI:
    """Return the app of a worker process, with settings from the environment."""
    course = course_of(Catalogue(paths.ROOT).lessons())
    return create_app(Settings.from_environment(), course)


class _before_signals:  # noqa: N801 -- used like a function, in a with statement
    """Call *close* on SIGINT or SIGTERM, before uvicorn waits for open responses.

    uvicorn runs the shutdown part of the lifespan only when all responses have ended.
    If the lifespan closed the streams, the server would therefore never stop.
    """

    def __init__(self, close: Callable[[], object]) -> None:
        self._close = close
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # the server of a test, which closes the streams itself
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.getsignal(number)
            if callable(before):
                self._before[number] = before
                signal.signal(number, self._handle)

    def __exit__(self, *exc: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._close()
        self._before[number](number, frame)
