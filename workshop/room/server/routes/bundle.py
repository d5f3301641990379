"""Serve the folder written by `make bundle` to learners who do not have the course."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse

from workshop.commands import command
from workshop.room.server.access import Service
from workshop.room.server.archives import Archives
from workshop.room.server.templates import render

router = APIRouter(tags=["bundle"], include_in_schema=False)


def archives_of(request: Request) -> Archives:
    """Return the archives of the bundle that the room was started with.

    Raises:
        HTTPException: 404, if there is none.

    """
    archives: Archives | None = request.app.state.archives
    if archives is None:
        raise HTTPException(
            404, "This room does not serve a bundle. Start it with --bundle FOLDER."
        )
    return archives


BundleArchives = Annotated[Archives, Depends(archives_of)]


@router.get("/bundle")
def bundle(service: Service, archives: BundleArchives) -> HTMLResponse:
    """List the archives. They are public, like the course itself."""
    machines = archives.sizes()
    if not machines:
        raise HTTPException(
            404,
            "The folder that this room was started with contains no complete bundle. "
            f"On the room's machine, run `{command('bundle')}`, then reload this page.",
        )
    html = render("bundle.html", room=service.room.title, machines=machines)
    return HTMLResponse(html)


@router.get("/bundle/{name}")
def archive(name: str, archives: BundleArchives) -> FileResponse:
    """Return the archive for one system and Python."""
    path = archives.archive(name)
    if path is None:
        raise HTTPException(404, "There is no such file. /bundle lists all files.")
    return FileResponse(path, filename=name, media_type="application/zip")
