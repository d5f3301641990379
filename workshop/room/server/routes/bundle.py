"""Serve the folder written by `make bundle` to learners who do not have the course."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse

from workshop.room.server.access import Service
from workshop.room.server.templates import render

router = APIRouter(tags=["bundle"], include_in_schema=False)


@router.get("/bundle")
def bundle(service: Service) -> HTMLResponse:
    """List the files of the bundle. They are public, like the course itself."""
    if not service.settings.bundle:
        raise HTTPException(
            404, "This room does not serve a bundle. Start it with --bundle FOLDER."
        )
    folder = Path(service.settings.bundle)
    files = [
        (path.relative_to(folder).as_posix(), path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    return HTMLResponse(render("bundle.html", room=service.room.title, files=files))
