"""The learner's files and progress: snapshots, versioned state, atomic writes.

This package does not print. Functions return sentences about the state file, and data
about what happened to a file.
"""

from workshop.progress.record import LessonRecord, State
from workshop.progress.replacement import (
    Replacement,
    ReplacementError,
    catch_up,
    reset,
    undo,
)
from workshop.progress.snapshots import RETAINED, Snapshot, Snapshots
from workshop.progress.store import Store, content_hash
from workshop.progress.transfer import (
    Brought,
    TransferError,
    bring,
    merge,
    read_export,
    write_export,
)

__all__ = [
    "RETAINED",
    "Brought",
    "LessonRecord",
    "Replacement",
    "ReplacementError",
    "Snapshot",
    "Snapshots",
    "State",
    "Store",
    "TransferError",
    "bring",
    "catch_up",
    "content_hash",
    "merge",
    "read_export",
    "reset",
    "undo",
    "write_export",
]
