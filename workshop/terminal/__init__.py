"""What may reach a terminal, or a file that people read.

Text that the workshop did not write itself (what an app prints, the words of an
exception, the name of a file) may hold control codes and passwords. `control_codes`
removes the former, `secrets` the latter, and `output` applies both on the way out.

The standard library alone, because the set-up and the doctor use it, too.
"""
