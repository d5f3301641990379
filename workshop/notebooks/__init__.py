"""Notebooks: what they use, how they are paired with text, run and opened."""

from workshop.notebooks.laboratory import play

__all__ = ["play"]
