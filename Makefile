# Two commands to know: `make demo` and `make test`. Both make their own .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
EVERYTHING := $(VENV)/.everything

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "badge-worker needs Python 3.11 or later; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements/runtime.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(EVERYTHING): requirements/everything.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/everything.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@ $(RUNTIME)

install: $(EVERYTHING) ## make .venv with everything in it

demo: $(RUNTIME) ## the main job on an embedded default: nothing to install or start
	$(BIN)/badge-worker demo

test: $(EVERYTHING) ## all tests, on a real PostgreSQL and a real Valkey that they start themselves
	$(BIN)/python -m pytest -n 3 --dist worksteal

check: $(EVERYTHING) ## lint, types, the ground plan's layers, installed pins
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pip check

format: $(EVERYTHING) ## let the formatter have its way
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

mutants: $(EVERYTHING) ## take each measure out and show that its test fails
	$(BIN)/python tests/mutants/run.py

drill-issuing: $(EVERYTHING) ## 5,000 awards, a provider that fails at random, workers killed (SEED=1)
	$(BIN)/python -m tests.drills.issuing --seed $(or $(SEED),1)

drill-ingest: $(EVERYTHING) ## 200,000 events; consumers killed, servers restarted (SEED=1, QUEUE=redis or rabbitmq)
	$(BIN)/python -m tests.drills.ingest --seed $(or $(SEED),1) --queue $(or $(QUEUE),redis)

bench: $(EVERYTHING) ## measure; figures and ratios from one run
	$(BIN)/python -m benchmarks

docs: $(EVERYTHING) ## the documents as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

audit: ## ask for known vulnerabilities of what is pinned; says so where nobody could tell
	$(PYTHON) requirements/audit.py

lock: ## make the two lock files anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --extra embedded --output-file requirements/runtime.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --extra embedded --group dev --output-file requirements/everything.txt

clean: ## remove what the targets made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .badge-worker badge-worker.db site

.PHONY: help install demo test check format mutants drill-issuing drill-ingest bench docs audit lock clean
