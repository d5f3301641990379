"""A learner's side of the room.

`Participation` is what the actions use. Everything that waits for the network runs in
threads of its own, so the room never delays a verdict. pydantic and httpx2 are imported
there, and only after the learner has joined.
"""

FILE = "room.json"
"""The file that says which room the learner has joined. Without it, nothing starts."""
