"""The templates of the pages. All values are escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

FOLDER = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"

_MARKDOWN = MarkdownIt("commonmark", {"html": False})


def _markdown(text: str) -> Markup:
    # Safe, because the option `html` is off: HTML in the text is escaped.
    return Markup(_MARKDOWN.render(text))  # noqa: S704


def _markdown_inline(text: str) -> Markup:
    return Markup(_MARKDOWN.renderInline(text))  # noqa: S704


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.filters["markdown"] = _markdown
_ENVIRONMENT.filters["markdown_inline"] = _markdown_inline


def render(template: str, /, **context: Any) -> str:
    """Render the *template* with *context*."""
    return _ENVIRONMENT.get_template(template).render(context)
