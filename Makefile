# make learn, make lesson-01, make lesson-01 test: `make help` shows them all.
# `python -m workshop …` does the same without make. Nothing has to be
# installed first but Python 3.11 to 3.14.

PYTHON ?= $(shell command -v $(or $(WORKSHOP_VENV),.venv)/bin/python \
	|| command -v python3 || command -v python || echo python3)
ARGS ?=

# All goals go to the workshop together, which knows what they mean: so
# `make lesson-01 test` is one thing, and a typing error gets a sentence. The
# first goal carries the recipe, the others have nothing left to do.
# make ends with 2 whatever the recipe's own code was.
GOALS := $(or $(MAKECMDGOALS),help)

.PHONY: $(GOALS)
$(firstword $(GOALS)):
	@$(PYTHON) -m workshop --goals $(GOALS) -- $(ARGS)
$(filter-out $(firstword $(GOALS)),$(GOALS)): ; @:
Makefile: ;
