"""The learner's own files and state: kept, versioned, written by replace.

This room knows nothing of the screen: what has to be said about the state
file is returned as sentences, what became of a file as facts.
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
