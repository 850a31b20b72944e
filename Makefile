# make demo: set up, and walk between two sentences.   make test: set up, and pass the tests.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check

demo: .venv/.ready
	@$(BIN)/textgen interpolate "i went to the store to buy some groceries" "don't worry about it, she said"

test: .venv/.ready-dev
	$(BIN)/python -m pytest

# what CI runs: linter, type checker, tests
check: .venv/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MAKE) test

# A set-up is done once, and again only when pyproject.toml changes.
.venv/.ready: pyproject.toml | .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.ready-dev: pyproject.toml | .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ .venv/.ready

.venv:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is %s: try make PYTHON=python3.11" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
