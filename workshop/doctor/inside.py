"""Checks that need the environment's interpreter: each package is tried once.

Run as `python -m workshop.doctor.inside`; it prints one finding per line.
"""

from __future__ import annotations

import asyncio
import csv
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from workshop.doctor.finding import Finding, ok, problem, warning
from workshop.environment.model import Environment, pins_file


def look(environment: Environment) -> Iterator[Finding]:
    """Yield a finding for each thing that the lessons depend on."""
    how_to_reinstall = (
        f"While you have a network, remove {environment.place}: the next command "
        "creates it again."
    )
    tries: list[tuple[str, Callable[[], Finding]]] = [
        ("The packages", lambda: packages(environment, how_to_reinstall)),
        ("FastAPI", fastapi),
        ("SQLite", sqlite),
        ("Redis", redis),
    ]
    stamp = environment.stamp()
    if os.environ.get("WORKSHOP_DATABASE_URL", "").startswith("postgres"):
        yield warning(
            "WORKSHOP_DATABASE_URL is set: lessons use that PostgreSQL, not SQLite."
        )
    if stamp is not None and "postgres" in stamp.installed:
        tries.append(("PostgreSQL", postgres))
    for what, attempt in tries:
        try:
            yield attempt()
        except Exception as error:  # noqa: BLE001 -- any exception is a finding
            yield problem(
                f"{what}: {type(error).__name__}: {error}. {how_to_reinstall}"
            )


def packages(environment: Environment, how_to_reinstall: str) -> Finding:
    """Compare the installed packages with the pins."""
    stamp = environment.stamp()
    groups = list(stamp.installed) if stamp else ["core"]
    wanted: dict[str, str] = {}
    for group in groups:
        wanted |= pinned(pins_file(group).read_text(encoding="utf-8"))
    missing, other, damaged = [], [], []
    for name, version in wanted.items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if installed != version:
            other.append(f"{name} {installed} instead of {version}")
        elif not is_complete(metadata.distribution(name)):
            damaged.append(name)
    if missing:
        return problem(f"Not installed: {', '.join(missing)}. {how_to_reinstall}")
    if damaged:
        return problem(
            f"Parts are missing of: {', '.join(damaged)}. {how_to_reinstall}"
        )
    if other:
        return warning(f"Not as pinned: {', '.join(other)}. {how_to_reinstall}")
    return ok(f"{len(wanted)} packages as pinned")


def is_complete(package: metadata.Distribution) -> bool:
    """Return whether all modules of a package are still there."""
    # Not with `package.files`: since Python 3.12 it omits missing files.
    rows = csv.reader((package.read_text("RECORD") or "").splitlines())
    return all(
        Path(str(package.locate_file(row[0]))).exists()
        for row in rows
        if row and row[0].endswith(".py")
    )


def pinned(text: str) -> dict[str, str]:
    """Return name and version of the pins that apply to this machine."""
    from packaging.requirements import Requirement

    found = {}
    for line in text.splitlines():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            found[requirement.name] = str(requirement.specifier).removeprefix("==")
    return found


def fastapi() -> Finding:
    """Send one request to an async app in this process."""
    import httpx2
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/ping")
    async def ping() -> str:
        return "pong"

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://box") as it:
            return await it.get("/ping")

    answer = asyncio.run(ask())
    if answer.json() != "pong":
        return problem(
            f"FastAPI responded to a small request with {answer.status_code}."
        )
    return ok(f"FastAPI {metadata.version('fastapi')} responds")


def sqlite() -> Finding:
    """Write and read a database file."""
    import aiosqlite

    async def count() -> object:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            async with aiosqlite.connect(Path(folder) / "doctor.db") as database:
                await database.execute("CREATE TABLE shows (name TEXT)")
                await database.execute("INSERT INTO shows VALUES ('Carmen')")
                await database.commit()
                async with database.execute("SELECT count(*) FROM shows") as rows:
                    return await rows.fetchone()

    answer = asyncio.run(count())
    if answer != (1,):
        return problem(f"A SQLite file returned {answer!r} instead of one row.")
    return ok("a SQLite file can be written and read")


def redis() -> Finding:
    """Start the embedded Redis, or connect to the learner's own, and ping it."""
    from redis import Redis

    from workshop.services import ServiceError, redis_server

    try:
        with redis_server() as service, Redis.from_url(service.url) as client:
            client.ping()
            return ok(f"Redis responds: {service.description}")
    except ServiceError as error:
        return problem(str(error))


def postgres() -> Finding:
    """Start the embedded PostgreSQL, or connect to the learner's own, and query it."""
    from workshop.services import ServiceError, database_server
    from workshop.services.postgres import connected

    async def ask(url: str) -> object:
        async with connected(url) as connection:
            return await connection.fetchval("SELECT 1")

    try:
        with database_server("postgres") as service:
            if asyncio.run(ask(service.url)) != 1:
                return problem(f"{service.description} cannot compute SELECT 1.")
            return ok(f"PostgreSQL responds: {service.description}")
    except ServiceError as error:
        return problem(str(error))


def main() -> int:
    """Print each finding as soon as it is known."""
    for finding in look(Environment.here()):
        sys.stdout.write(finding.line().replace("\n", " ") + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
