"""Everything that is printed. This room does not know how verdicts are made."""
