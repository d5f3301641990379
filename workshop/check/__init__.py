"""The author's gate: is a lesson fit to be handed out?

Text rules, the starter, the states after each step, the solution many times
over, and wrong and right answers, judged by the engine that learners use.
"""

from workshop.check.gate import check_lesson
from workshop.check.texts import Finding

__all__ = ["Finding", "check_lesson"]
