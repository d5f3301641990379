"""The set-up: from a fresh clone to a running command, with repair of a broken one.

Standard library only, because it runs before anything is installed. The two modules
that also run on a Python that is too old (this one and `python`) are written for 3.6,
and so is everything that they import at the top (`workshop.paths`).

Other packages call `setup.ensure(environment, groups)`.
"""
