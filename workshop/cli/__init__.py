"""One thin command per verb; `main` is what `python -m workshop` calls."""

from workshop.cli.app import main

__all__ = ["main"]
