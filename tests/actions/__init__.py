"""What learners can do, asked of the actions themselves."""
