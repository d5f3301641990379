"""Start the server: find this machine's address and run the workers."""

from __future__ import annotations

import asyncio

import segno
import uvicorn

from workshop import paths
from workshop.processes.lan import urls
from workshop.processes.loopback import bracketed, loopback
from workshop.room.retention import DATABASE, FOLDER
from workshop.room.server.records import Record
from workshop.room.server.settings import Settings
from workshop.room.server.store import Room, Store, database_engine

_SHUTDOWN_SECONDS = 5
"""How long open requests may run at shutdown. Streams are closed immediately."""


def own_database() -> str:
    """Return the URL of the room's SQLite file, and create its folder."""
    folder = paths.home() / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return f"sqlite+aiosqlite:///{(folder / DATABASE).as_posix()}"


def http_address(host: str, port: int) -> str:
    """Return the URL at which other machines reach a server on *host* and *port*.

    Without a network, return a URL that works on this machine only.
    """
    reached = urls(host, port) or [f"http://{bracketed(loopback())}:{port}"]
    return reached[0].rstrip("/")


def open_room(settings: Settings, *, new_room: bool) -> Room:
    """Return the room in the settings' database. Create it if it does not exist.

    Raises:
        OSError, sqlalchemy.exc.SQLAlchemyError: The database cannot be used.

    """

    async def work() -> Room:
        engine = database_engine(settings.database)
        try:
            return await Store(engine).open(settings.title, new_room=new_room)
        finally:
            await engine.dispose()

    return asyncio.run(work())


def forget_everybody(settings: Settings) -> None:
    """Delete all personal data from the settings' database."""

    async def work() -> None:
        engine = database_engine(settings.database)
        try:
            store = Store(engine)
            await store.open(settings.title)
            await store.forget_everybody()
        finally:
            await engine.dispose()

    asyncio.run(work())


def records_of(settings: Settings) -> list[Record]:
    """Return the whole log of the settings' database."""

    async def work() -> list[Record]:
        engine = database_engine(settings.database)
        try:
            store, found = Store(engine), list[Record]()
            while records := await store.read_after(found[-1].seq if found else 0):
                found += records
            return found
        finally:
            await engine.dispose()

    return asyncio.run(work())


def qr_code(text: str) -> str:
    """Return *text* as a QR code of block characters, for a terminal."""
    rows = [list(row) for row in segno.make(text, error="l").matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    # One line shows two rows. Light modules are drawn: most terminals are dark.
    shapes = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    return "\n".join(
        "".join(shapes[bool(a), bool(b)] for a, b in zip(top, bottom, strict=True))
        for top, bottom in zip(rows[::2], rows[1::2], strict=True)
    )


def serve(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve the room until the process receives SIGINT or SIGTERM."""
    settings.to_environment()
    uvicorn.run(
        "workshop.room.server.app:create_app_of_worker",
        factory=True,
        host=host,
        port=port,
        workers=workers if workers > 1 else None,
        log_level="warning",
        access_log=False,
        ws="none",
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies or None,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        timeout_keep_alive=30,
        server_header=False,
    )
