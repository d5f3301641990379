"""The authoring rules: checks of a lesson's files that run nothing.

Each rule is a function that takes a lesson and the checkout's root, and yields its
findings. The function's docstring states the rule. If a rule needs a file that is
missing, it yields nothing, because another rule reports the missing file.
"""

from workshop.check.rules.all import broken_rules

__all__ = ["broken_rules"]
