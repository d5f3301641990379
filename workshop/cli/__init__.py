"""One thin command per verb; `main` is the entry of `python -m workshop`."""

from workshop.cli.app import main

__all__ = ["main"]
