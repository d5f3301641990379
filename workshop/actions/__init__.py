"""What a learner can do, once: the command line and watch mode call it."""
