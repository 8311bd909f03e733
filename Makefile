PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SEED ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz check bench coverage clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

# One stamp a set of extras, so that `make demo` installs no test tools.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "tokenkit needs Python 3.11 or newer: make PYTHON=python3.11 …"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.extra-%: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@

demo: $(VENV)/.extra-qr,report ## run the shipped scenarios, write demo-report/index.html
	$(BIN)/tokenkit run --seed $(SEED) --report demo-report $(wildcard tokenkit/scenario/shipped/*.toml)

test: $(VENV)/.extra-dev ## all tests; what this machine lacks is skipped and named
	$(BIN)/python -m pytest -n auto --dist worksteal

coverage: $(VENV)/.extra-dev ## the same with branch coverage, which must not fall below 90 %
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term

fuzz: $(VENV)/.extra-dev ## the fuzz tests with 20,000 examples each, other ones every time
	$(BIN)/python -m pytest -n auto --hypothesis-profile=nightly $(shell find tests -name 'test_fuzz_*.py')

check: $(VENV)/.extra-dev ## formatting, lint, strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.extra-dev $(VENV)/peers $(VENV)/peer-moto ## side by side with peers, ratios in one run
	PYTHONPATH=$(VENV)/peers $(BIN)/python -m benchmarks

# Without its dependencies: its metadata still asks for python-fido2 1, it runs with 2.
$(VENV)/peers: $(VENV)/.made
	$(BIN)/python -m pip install --quiet --no-deps --target $@ soft-webauthn==0.1.4

# Apart, with its dependencies: only its own server, a process, sees them.
$(VENV)/peer-moto: $(VENV)/.made
	$(BIN)/python -m pip install --quiet --target $@ 'moto[server]==5.2.5'

clean: ## remove what the targets above made
	rm -rf $(VENV) demo-report .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
