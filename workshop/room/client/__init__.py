"""A learner's side of the room.

The actions use `Participation`. Everything that waits for the network runs in separate
threads, so the room never delays a verdict. pydantic and httpx2 are imported in these
threads, and only after the learner has joined.
"""

FILE = "room.json"
"""The file with the room that the learner has joined. Without it, nothing starts."""
