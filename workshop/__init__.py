"""The workshop's tool: finds lessons, grades solutions, shows verdicts.

Everything that is not lesson content is here. This package may only import the standard
library, because it is imported before the environment is set up.
"""

__version__ = "0.1.0"
