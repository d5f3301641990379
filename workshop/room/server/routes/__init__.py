"""The routes of the room's server."""
