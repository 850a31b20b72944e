# make demo: set up, walk between two sentences, draw pictures and finish three.   make test: set up, and pass the tests.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check

demo: .venv/.ready
	@$(BIN)/textgen interpolate "i went to the store to buy some groceries" "don't worry about it, she said"
	@mkdir -p demo
	@$(BIN)/imagegen sample -n 64 --force --out demo/sample.png
	@$(BIN)/corpora build sprites sprites_seed=1 count=60 codec_from=imagegen/pretrained/creatures --replace --out demo/creatures
	@$(BIN)/imagegen complete demo/creatures@test:0 demo/creatures@test:1 demo/creatures@test:2 -n 3 --force --out demo/complete.png

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
