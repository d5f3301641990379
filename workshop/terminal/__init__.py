"""Filters for all output that reaches a terminal or a file.

Text that the workshop did not write itself (an app's output, an exception's message, a
file name) may contain control codes and passwords. `control_codes` removes the former,
`secrets` the latter, and `output` applies both to everything that is printed.

Standard library only, because the set-up and the doctor use it too.
"""
