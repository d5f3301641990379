# make learn, make lesson-01, make lesson-01 test: `make help` shows them all.
# `python -m workshop …` does the same without make. Only Python 3.11 to 3.14 has to
# be installed first.

# Paths may contain spaces, quotes and other special characters of the shell.
quoted = '$(subst ','\'',$(1))'
OWN := $(or $(value WORKSHOP_VENV),.venv)/bin/python
PYTHON ?= $(call quoted,$(shell command -v $(call quoted,$(OWN)) \
	|| command -v python3 || command -v python || echo python3))

# With one of these set, Python might not even start. `doctor` reports the names.
FOREIGN := PYTHONHOME PYTHONPATH PYTHONPLATLIBDIR PYTHONSAFEPATH PYTHONWARNINGS \
	PYTHONINSPECT PYTHONOPTIMIZE PYTHONDEVMODE
export WORKSHOP_IGNORED_SETTINGS := $(strip $(WORKSHOP_IGNORED_SETTINGS) \
	$(foreach name,$(FOREIGN),$(if $(value $(name)),$(name))))
unexport $(FOREIGN)

ARGS ?=

# The workshop parses all goals together, so `make lesson-01 test` is one command and a
# typing error gets a helpful message. The first goal has the recipe, and the others do
# nothing. If the recipe fails, make always exits with 2.
GOALS := $(or $(MAKECMDGOALS),help)

.PHONY: $(GOALS)
$(firstword $(GOALS)):
	@$(PYTHON) -m workshop --goals $(GOALS) -- $(ARGS)
$(filter-out $(firstword $(GOALS)),$(GOALS)): ; @:
Makefile: ;
