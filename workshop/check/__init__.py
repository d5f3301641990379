"""Check whether a lesson is ready to publish.

The check covers the authoring rules, the starter, the states after each step, the
solution (many times), and the wrong and right variants. It grades with the engine that
learners use.
"""

from workshop.check.finding import Finding
from workshop.check.gate import check_draft, check_lesson

__all__ = ["Finding", "check_draft", "check_lesson"]
