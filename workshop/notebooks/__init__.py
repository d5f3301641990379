"""Notebooks: the functions they use, and how they are paired, run and opened."""

from workshop.notebooks.scenes import play

__all__ = ["play"]
