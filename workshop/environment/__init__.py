"""The set-up: from a fresh clone to a running verb, and back to health.

Standard library only, because it runs before anything is installed. The two
modules that also run on too old a Python (this one and `python`) are written
for 3.6; what they import at their top must be, too.

`setup.ensure(environment, groups)` is what the other rooms may call.
"""
