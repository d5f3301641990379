"""Everything that is printed. This package does not know how verdicts are made."""
