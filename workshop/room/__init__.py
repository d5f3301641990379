"""The room of an instructor-led workshop.

`server` is the service that the instructor starts. Its board shows which learner is on
which step. `client` sends a learner's events to it and receives its messages.
`protocol` contains the models of both.
"""
