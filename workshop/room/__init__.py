"""The room of an instructor-led workshop.

`server` is the service that the instructor starts: it shows who works on which step.
`client` sends a learner's events to it and receives its messages. `protocol` is what
they say to each other.
"""
