# Needs only make, python3 with venv, its headers and a C compiler. PYTHON=python3.12 picks another interpreter.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
MADE   := $(VENV)/.made-by-$(subst /,-,$(PYTHON))

.DEFAULT_GOAL := help
.PHONY: help demo test campaigns lint fix docs bench mutants clean

help:
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

demo: $(VENV)/.all-installed ## install into .venv and trade on the sandbox
	@$(BIN)/gridwire demo || { echo 'gridwire: the demo FAILED'; exit 1; }

test: $(VENV)/.dev-installed ## install into .venv and run every check
	@$(BIN)/python tools/check.py

campaigns: $(VENV)/.dev-installed ## play all random histories, of which `make test` plays a tenth (about half an hour)
	@GRIDWIRE_CAMPAIGN=whole $(BIN)/python tools/check.py campaigns

lint: $(VENV)/.dev-installed ## style, import contracts and types only
	@$(BIN)/python tools/check.py style imports types

fix: $(VENV)/.dev-installed ## apply the formatter and the safe fixes of the linter
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

docs: $(VENV)/.dev-installed ## build the documentation into site/
	@$(BIN)/python tools/check.py docs

bench: $(VENV)/.all-installed ## measure import time and install size against their budgets, and an order's way in short
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m gridwire.bench imports
	@$(BIN)/gridwire bench orders --orders 600

mutants: $(VENV)/.dev-installed ## change code on purpose and see whether a test notices (slow; MOST=0 tries every change)
	@$(BIN)/python tools/mutants.py --show --most $(or $(MOST),60)

clean: ## remove .venv and everything a tool made
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* site dist

# An interrupted install leaves no stamp, so the next run begins again. Another PYTHON gets a new environment.
$(MADE):
	@if ls $(VENV)/.made-by-* >/dev/null 2>&1; then rm -rf $(VENV); fi
	@echo 'gridwire: making $(VENV) with $(PYTHON)'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.all-installed: pyproject.toml constraints.txt | $(MADE)
	@echo 'gridwire: installing (about a minute the first time)'
	@$(BIN)/python -m pip install -qq -c constraints.txt -e '.[all]'
	@touch $@

$(VENV)/.dev-installed: pyproject.toml constraints.txt | $(MADE)
	@echo 'gridwire: installing with the development tools (about a minute the first time)'
	@$(BIN)/python -m pip install -qq -c constraints.txt -e '.[all]' --group dev
	@touch $(VENV)/.all-installed $@
