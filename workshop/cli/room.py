"""The command for instructors: a live board of the workshop, and its report."""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workshop import paths
from workshop.cli.exit_codes import PASSED
from workshop.commands import command
from workshop.processes.loopback import family_of

if TYPE_CHECKING:
    from workshop.room.server.settings import Settings
    from workshop.room.server.store import Room


@click.command("room")
@click.argument(
    "action", type=click.Choice(["serve", "report", "delete"]), default="serve"
)
@click.option(
    "--host",
    default="0.0.0.0",  # noqa: S104
    help="Address to listen on. Default: all networks.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8080,
    show_default=True,
    help="Port to listen on.",
)
@click.option("--title", default="", help="Title of the room. Default: Async FastAPI.")
@click.option(
    "--new",
    "new_room",
    is_flag=True,
    help="Delete the previous room and its data, and create a new one.",
)
@click.option(
    "--database",
    default="",
    metavar="URL",
    help="PostgreSQL database: postgresql+asyncpg://…  Default: an SQLite file.",
)
@click.option(
    "--redis",
    default="",
    metavar="URL",
    help="Redis that counts wrong codes for all workers: redis://…",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Number of processes. More than one needs --database.",
)
@click.option(
    "--https-behind-proxy",
    "proxies",
    default="",
    metavar="ADDRESSES",
    help="Trust X-Forwarded-For and X-Forwarded-Proto from these proxies.",
)
@click.option(
    "--address",
    default="",
    metavar="URL",
    help="URL that learners open, if it differs from this machine's.",
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Offer this folder, written by `make bundle`, for download at /bundle.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder for the report. Default: the current one.",
)
def room(
    action: str,
    host: str,
    port: int,
    title: str,
    new_room: bool,
    database: str,
    redis: str,
    workers: int,
    proxies: str,
    address: str,
    bundle: Path | None,
    to: Path,
) -> int:
    """Serve a live board for an instructor-led workshop.

    `report` writes a report without names: passed steps, median minutes, failed tests.
    `delete` deletes everything that is stored about learners.
    """
    from workshop.room.server.running import http_address, own_database, serve
    from workshop.room.server.settings import Settings

    if workers > 1 and not database:
        raise click.UsageError(
            "Several workers need a shared PostgreSQL database. Add "
            "--database postgresql+asyncpg://USER:PASSWORD@HOST/NAME."
        )
    if action == "serve":
        host = _checked_host(host, port)
    settings = Settings(
        database=_database(database) if database else own_database(),
        redis=_redis(redis) if redis else "",
        title=title,
        address=(address or http_address(host, port)).rstrip("/"),
        proxies=proxies,
        secure=address.startswith("https:"),
        bundle=str(bundle.resolve()) if bundle else "",
        site=str(_site(bundle)),
    )
    if action == "report":
        return _report(settings, to)
    if action == "delete":
        return _delete(settings)
    opened = _open(settings, new_room=new_room)
    _announce(settings, opened)
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C is the normal end
        serve(settings, host, port, workers)
    click.echo(
        "The room is closed. Its data is kept for at most seven days.\n"
        f"To write a report without names: {command('room', options='report')}\n"
        f"To delete the data now: {command('room', options='delete')}"
    )
    return PASSED


def _site(bundle: Path | None) -> Path:
    """Return the folder of the built site: the bundle's if it has one, or our own."""
    if bundle is not None and (bundle / "site" / "index.html").is_file():
        return bundle.resolve() / "site"
    return paths.ROOT / "site"


def _database(url: str) -> str:
    """Return *url* with the driver that SQLAlchemy needs."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is not None and parsed.drivername == "sqlite+aiosqlite":
        return url
    if parsed is None or not parsed.drivername.startswith("postgres"):
        raise click.UsageError(
            "--database is not the URL of a PostgreSQL database. Use the form "
            "postgresql+asyncpg://USER:PASSWORD@HOST/NAME, and percent-encode special "
            "characters in the password."
        )
    chosen = parsed.set(drivername="postgresql+asyncpg")
    return chosen.render_as_string(hide_password=False)


def _redis(url: str) -> str:
    """Return *url* if it is a Redis URL."""
    from redis import Redis

    try:
        Redis.from_url(url).close()
    except ValueError:
        raise click.UsageError(
            "--redis is not the URL of a Redis server. Use the form "
            "redis://:PASSWORD@HOST:6379/0."
        ) from None
    return url


def _checked_host(host: str, port: int) -> str:
    """Return the address of *host* if the server can listen on it."""
    from workshop.processes.lan import HostError, resolved

    try:
        address = resolved(host)
    except HostError as problem:
        raise click.UsageError(str(problem)) from None
    try:
        socket.create_server((address, port), family=family_of(address)).close()
    except OSError as problem:
        why = "is already in use by another program, perhaps another room"
        if problem.errno != errno.EADDRINUSE:
            why = f"cannot be used ({problem.strerror})"
        other = command("room", options=f"--port {max(port + 1, 8081)}")
        raise click.UsageError(
            f"Port {port} {why}. To use another port: {other}"
        ) from None
    return address


def _open(settings: Settings, *, new_room: bool) -> Room:
    from sqlalchemy.exc import SQLAlchemyError

    from workshop.room.server.running import open_room

    try:
        return open_room(settings, new_room=new_room)
    except (OSError, SQLAlchemyError) as problem:
        cause = str(getattr(problem, "orig", None) or problem).splitlines()[0]
        check = "Check that the server is running and that --database is correct"
        if settings.database.startswith("sqlite"):
            file = settings.database.partition("///")[2]
            check = f"Check that {file} can be created and written"
        raise click.ClickException(
            f"Cannot open the room's database: {cause}. {check}, then run the same "
            "command again."
        ) from None


def _announce(settings: Settings, opened: Room) -> None:
    from workshop.room.server.running import qr_code

    address = settings.address
    join = f"{address}/join?code={opened.code}"
    typed = command("join", options=f"{address} {opened.code} NAME")
    click.echo(qr_code(join))
    click.echo(opened.title)
    click.echo(f"Learners, in their clone:  {typed}")
    click.echo(f"Learners, on a phone:      {join}")
    if settings.has_site:
        click.echo(f"The course's pages:        {address}/course/")
    click.echo(
        f"Your board (keep private): {address}/board/login?secret={opened.secret}"
    )
    click.echo(
        "Press Ctrl-C to close the room. The next start reopens it with the same code; "
        "--new creates a new one."
    )


def _report(settings: Settings, folder: Path) -> int:
    from workshop.lesson import Catalogue
    from workshop.room.server.course import course_of
    from workshop.room.server.report import as_csv, as_html, report
    from workshop.room.server.running import records_of

    opened = _open(settings, new_room=False)
    course = course_of(Catalogue(paths.ROOT).lessons())
    steps = report(records_of(settings), course)
    folder.mkdir(parents=True, exist_ok=True)
    html, table = folder / "room-report.html", folder / "room-report.csv"
    html.write_text(as_html(steps, course, opened.title), encoding="utf-8")
    table.write_text(as_csv(steps), encoding="utf-8")
    click.echo(f"Report without names: {html} and {table}")
    click.echo(
        "The learners' data is still stored. To delete it: "
        f"{command('room', options='delete')}"
    )
    return PASSED


def _delete(settings: Settings) -> int:
    from workshop.room.server.running import forget_everybody

    _open(settings, new_room=False)
    forget_everybody(settings)
    click.echo("Everything that was stored about learners has been deleted.")
    return PASSED


VERBS: tuple[click.Command, ...] = (room,)
