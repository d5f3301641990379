"""The author's gate: is a lesson fit to be handed out?

The authoring rules, the starter, the states after each step, the solution many times
over, and wrong and right answers, judged by the engine that learners use.
"""

from workshop.check.finding import Finding
from workshop.check.gate import check_draft, check_lesson

__all__ = ["Finding", "check_draft", "check_lesson"]
