"""The database and Redis that a lesson runs against: one's own, or embedded ones."""
