"""Why a bundle cannot be written."""

from __future__ import annotations


class BundleError(Exception):
    """The bundle cannot be written. The message says why and what to do next."""
