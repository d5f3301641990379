# make learn, make lesson-01, make lesson-01 test: `make help` shows them all.
# `python -m workshop …` does the same without make. Nothing has to be
# installed first but Python 3.11 to 3.14.

# Paths may hold spaces, quotes and what a shell would make something of.
quoted = '$(subst ','\'',$(1))'
OWN := $(or $(value WORKSHOP_VENV),.venv)/bin/python
PYTHON ?= $(call quoted,$(shell command -v $(call quoted,$(OWN)) \
	|| command -v python3 || command -v python || echo python3))

# With one of these, Python might not even start. `doctor` is told which were set.
FOREIGN := PYTHONHOME PYTHONPATH PYTHONPLATLIBDIR PYTHONSAFEPATH PYTHONWARNINGS \
	PYTHONINSPECT PYTHONOPTIMIZE PYTHONDEVMODE
export WORKSHOP_IGNORED_SETTINGS := $(strip $(WORKSHOP_IGNORED_SETTINGS) \
	$(foreach name,$(FOREIGN),$(if $(value $(name)),$(name))))
unexport $(FOREIGN)

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
