"""Error responses: one message, as JSON or as a page."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from workshop.room.server.access import LoginNeededError
from workshop.room.server.limits import HEADERS
from workshop.room.server.templates import render
from workshop.room.server.writer import BusyError

_NO_JSON = "json_invalid"
_PLAIN = {
    "Not Found": "There is no page at this address.",
    "Method Not Allowed": "This address does not support that request method.",
}
"""Starlette's own details, in words for people."""


class Problem(BaseModel):
    """The body of every error response."""

    detail: str


def responses(**descriptions: str) -> dict[int | str, dict[str, object]]:
    """Return *descriptions* of error statuses for the API's schema.

    >>> responses(status_404="There is no such room.")[404]["description"]
    'There is no such room.'
    """
    return {
        int(name.removeprefix("status_")): {"model": Problem, "description": text}
        for name, text in descriptions.items()
    }


def handle_problems(app: FastAPI) -> None:
    """Register handlers so that *app* turns every exception into a message."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(LoginNeededError, _to_login)
    for problem in (BusyError, SQLAlchemyError, OSError):
        app.add_exception_handler(problem, _unavailable)
    app.add_exception_handler(Exception, _broken)


def _respond(
    request: Request, status: int, detail: str, headers: dict[str, str] | None = None
) -> Response:
    """Return a page to browsers without JavaScript, and JSON to all other clients."""
    if _wants_page(request):
        html = render("problem.html", detail=detail)
        return HTMLResponse(html, status, headers)
    return JSONResponse({"detail": detail}, status, headers)


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


async def _refused(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    headers = dict(problem.headers or {})
    detail = _PLAIN.get(problem.detail, problem.detail).removesuffix(".") + "."
    return _respond(request, problem.status_code, detail, headers)


async def _invalid(request: Request, problem: Exception) -> Response:
    """Say what is wrong with the first invalid field, without echoing its value.

    FastAPI's own response echoes it, and fails on text that UTF-8 cannot encode.
    """
    assert isinstance(problem, RequestValidationError)
    error = problem.errors()[0]
    place = ".".join(str(it) for it in error["loc"][1:] if error["type"] != _NO_JSON)
    text = f"{place}: {error['msg']}" if place else str(error["msg"])
    safe = text[:300].encode(errors="replace").decode()
    return _respond(request, 422, f"The request is not valid. {safe}.")


async def _to_login(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, LoginNeededError)
    if request.method == "GET" and _wants_page(request):
        return RedirectResponse(problem.path, 303)
    detail = f"You are not logged in, or your session has ended. Open {problem.path}."
    return _respond(request, 401, detail)


async def _unavailable(request: Request, problem: Exception) -> Response:
    """Respond while the database is down or overloaded. Clients retry."""
    detail = (
        "The room is overloaded, or its database does not respond. Try again in a few "
        "seconds."
    )
    return _respond(request, 503, detail, {"Retry-After": "2"})


async def _broken(request: Request, problem: Exception) -> Response:
    """Respond to a bug. It is logged, and this response bypasses the middleware."""
    detail = (
        "Internal error: this is a bug in the room's server. The terminal that runs it "
        "shows the traceback."
    )
    return _respond(request, 500, detail, HEADERS)
