"""Offer the folder of `make bundle` to those who come without the course."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse

from workshop.room.server.access import Service
from workshop.room.server.templates import render

router = APIRouter(tags=["bundle"], include_in_schema=False)


@router.get("/bundle")
def bundle(service: Service) -> HTMLResponse:
    """List the files of the bundle. Public: it is the course."""
    if not service.settings.bundle:
        raise HTTPException(404, "This room offers no bundle.")
    folder = Path(service.settings.bundle)
    files = [
        (path.relative_to(folder).as_posix(), path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    return HTMLResponse(render("bundle.html", room=service.room.title, files=files))
