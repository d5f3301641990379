"""The verb for instructors: a live board of the room, and its report."""

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
@click.option("--host", default="0.0.0.0", help="Default: every network.")  # noqa: S104
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@click.option("--title", default="Async FastAPI", show_default=True)
@click.option(
    "--new", "anew", is_flag=True, help="Delete the room before, and its data."
)
@click.option("--database", default="", help="postgresql+asyncpg://…  Default: a file.")
@click.option(
    "--redis", default="", help="redis://…  Counts wrong codes for all workers."
)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option(
    "--https-behind-proxy",
    "proxies",
    default="",
    metavar="ADDRESSES",
    help="Trust X-Forwarded-For and -Proto of these proxies.",
)
@click.option("--address", default="", help="Where learners reach it, if not here.")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Offer this folder of `make bundle` at /bundle, and its site at /course/.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder for the report.",
)
def room(
    action: str,
    host: str,
    port: int,
    title: str,
    anew: bool,
    database: str,
    redis: str,
    workers: int,
    proxies: str,
    address: str,
    bundle: Path | None,
    to: Path,
) -> int:
    """Serve a live board for an instructor-led workshop.

    `report` writes what the workshop has shown, without names, and `delete` deletes
    all that is stored about learners.
    """
    from workshop.room.server.running import http_address, own_database, serve
    from workshop.room.server.settings import Settings

    if workers > 1 and not database:
        raise click.UsageError(
            "Several workers need a database server: add "
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
    opened = _open(settings, anew=anew)
    _announce(settings, opened)
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C is the normal end
        serve(settings, host, port, workers)
    click.echo(
        "The room is closed. Its data is kept for seven days: "
        f"{command('room', options='report')} summarizes it, "
        f"{command('room', options='delete')} deletes it."
    )
    return PASSED


def _site(bundle: Path | None) -> Path:
    """Return the folder of the built site: the bundle's if it has one, or our own."""
    if bundle is not None and (bundle / "site" / "index.html").is_file():
        return bundle.resolve() / "site"
    return paths.ROOT / "site"


def _database(url: str) -> str:
    """Return *url* for SQLAlchemy."""
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
            "--database is not the address of a PostgreSQL database. It looks like "
            "postgresql+asyncpg://USER:PASSWORD@HOST/NAME, with special characters of "
            "the password percent-encoded."
        )
    chosen = parsed.set(drivername="postgresql+asyncpg")
    return chosen.render_as_string(hide_password=False)


def _redis(url: str) -> str:
    """Return *url* if a client can be made for it."""
    from redis import Redis

    try:
        Redis.from_url(url).close()
    except ValueError:
        raise click.UsageError(
            "--redis is not the address of a Redis. It looks like "
            "redis://:PASSWORD@HOST:6379/0."
        ) from None
    return url


def _checked_host(host: str, port: int) -> str:
    """Return the address of *host*, if the server can listen there."""
    from workshop.processes.lan import HostError, resolved

    try:
        address = resolved(host)
    except HostError as problem:
        raise click.UsageError(str(problem)) from None
    try:
        socket.create_server((address, port), family=family_of(address)).close()
    except OSError as problem:
        why = "is taken by another program, maybe by another room"
        if problem.errno != errno.EADDRINUSE:
            why = f"cannot be used ({problem.strerror})"
        other = command("room", options=f"--port {max(port + 1, 8081)}")
        raise click.UsageError(
            f"Port {port} {why}. To choose another one: {other}"
        ) from None
    return address


def _open(settings: Settings, *, anew: bool) -> Room:
    from sqlalchemy.exc import SQLAlchemyError

    from workshop.room.server.running import open_room

    try:
        return open_room(settings, anew=anew)
    except (OSError, SQLAlchemyError) as problem:
        cause = str(getattr(problem, "orig", None) or problem).splitlines()[0]
        raise click.ClickException(
            f"The room's database cannot be used: {cause}. Is it running, and is "
            "--database right?"
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
        "Ctrl-C closes the room. The next start continues it; --new begins anew."
    )


def _report(settings: Settings, folder: Path) -> int:
    from workshop.lesson import Catalogue
    from workshop.room.server.course import course_of
    from workshop.room.server.report import as_csv, as_html, report
    from workshop.room.server.running import records_of

    opened = _open(settings, anew=False)
    course = course_of(Catalogue(paths.ROOT).lessons())
    steps = report(records_of(settings), course)
    folder.mkdir(parents=True, exist_ok=True)
    html, table = folder / "room-report.html", folder / "room-report.csv"
    html.write_text(as_html(steps, course, opened.title), encoding="utf-8")
    table.write_text(as_csv(steps), encoding="utf-8")
    click.echo(f"Written, without names: {html} and {table}")
    click.echo(
        "What is stored about learners is still there. To delete it: "
        f"{command('room', options='delete')}"
    )
    return PASSED


def _delete(settings: Settings) -> int:
    from workshop.room.server.running import forget_everybody

    _open(settings, anew=False)
    forget_everybody(settings)
    click.echo("All that was stored about learners is deleted.")
    return PASSED


VERBS: tuple[click.Command, ...] = (room,)
