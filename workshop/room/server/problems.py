"""What clients get when something is wrong: a sentence, as JSON or as a page."""

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


class Problem(BaseModel):
    """The body of every response that reports a problem."""

    detail: str


def responses(**descriptions: str) -> dict[int | str, dict[str, object]]:
    """Return the *descriptions* for the API's schema; `status_404="…"` is that of 404.

    >>> responses(status_404="There is no such room.")[404]["description"]
    'There is no such room.'
    """
    return {
        int(name.removeprefix("status_")): {"model": Problem, "description": text}
        for name, text in descriptions.items()
    }


def handle_problems(app: FastAPI) -> None:
    """Let *app* respond to every exception with a sentence."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(LoginNeededError, _to_login)
    for problem in (BusyError, SQLAlchemyError, OSError):
        app.add_exception_handler(problem, _unavailable)
    app.add_exception_handler(Exception, _broken)


def _respond(
    request: Request, status: int, detail: str, headers: dict[str, str] | None = None
) -> Response:
    """Return a page for browsers without a script, and JSON for everyone else."""
    if _wants_page(request):
        html = render("problem.html", detail=detail)
        return HTMLResponse(html, status, headers)
    return JSONResponse({"detail": detail}, status, headers)


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


async def _refused(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    headers = dict(problem.headers or {})
    detail = str(problem.detail).removesuffix(".") + "."
    return _respond(request, problem.status_code, detail, headers)


async def _invalid(request: Request, problem: Exception) -> Response:
    """Say what is wrong with the first field, without repeating what was sent.

    FastAPI's own response repeats it, and fails on texts that UTF-8 cannot encode.
    """
    assert isinstance(problem, RequestValidationError)
    error = problem.errors()[0]
    place = ".".join(str(it) for it in error["loc"] if it != "body")
    text = f"{place}: {error['msg']}" if place else str(error["msg"])
    safe = text[:300].encode(errors="replace").decode()
    return _respond(request, 422, f"This cannot be read. {safe}.")


async def _to_login(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, LoginNeededError)
    if request.method == "GET" and _wants_page(request):
        return RedirectResponse(problem.path, 303)
    return _respond(request, 401, f"Log in first: {problem.path}")


async def _unavailable(request: Request, problem: Exception) -> Response:
    """Respond while the database is away, or too busy. Clients try again."""
    detail = "The room is busy. Try again in a moment."
    return _respond(request, 503, detail, {"Retry-After": "2"})


async def _broken(request: Request, problem: Exception) -> Response:
    """Respond to a defect. It is logged, and no middleware sees this response."""
    detail = "The room's server has a defect. Its log says more."
    return _respond(request, 500, detail, HEADERS)
