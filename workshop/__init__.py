"""The workshop's tool: finds lessons, grades answers, shows verdicts.

Everything that is not lesson content lives here. Importing this package
must stay free of anything outside the standard library: it is imported
before the environment is set up.
"""

__version__ = "0.1.0"
