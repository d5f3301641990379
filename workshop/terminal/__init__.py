"""Makes text safe for a terminal and for files that people read.

Text that the workshop did not write itself (an app's output, an exception's message, a
file's name) may hold control codes and passwords. `control_codes` removes the former,
`secrets` the latter, and `output` applies both to what is written.

Standard library only, because the set-up and the doctor use it, too.
"""
