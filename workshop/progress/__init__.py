"""The learner's own state: versioned, written by replace, backed up.

This room knows nothing of the screen: what has to be said about the state
file is returned as sentences.
"""

from workshop.progress.record import LessonRecord, State
from workshop.progress.store import Store, content_hash

__all__ = ["LessonRecord", "State", "Store", "content_hash"]
