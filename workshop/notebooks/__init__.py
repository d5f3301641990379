"""Notebooks: the functions they use, and how they are paired, run and opened."""

from workshop.notebooks.laboratory import play

__all__ = ["play"]
