"""The figures quoted anywhere, each by one command. Their output is ratios."""
