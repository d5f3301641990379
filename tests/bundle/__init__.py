"""The memory stick: its contents, and what it does on learners' machines."""
