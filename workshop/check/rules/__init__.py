"""The authoring rules: what a lesson's files must be like, without running anything.

Each rule is a function that takes a lesson and the checkout's root, and yields
what breaks it. A rule that needs a file which is missing says nothing: the
missing file is a finding of its own.
"""

from workshop.check.rules.all import broken_rules

__all__ = ["broken_rules"]
