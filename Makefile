# make run   builds .venv and examines the installation it finds (make run DIR=/srv/opentranscribe ARGS="-v --offline")
# make check lint, types, and the tests that need no engine and are not slow: for every minute
# make test  lint, types and all tests: for every push; make bench  the figures of docs/performance.md
# make readme writes the generated parts of README.md again
# make docs  the manual, in build/docs
# make dist  wheel, sdist, and ot-doctor.pyz, which runs with nothing but Python
PYTHON ?= python3
BIN := .venv/bin
DIR ?=
ARGS ?=

.PHONY: run check test lint readme bench docs man dist clean

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "ot-doctor needs Python 3.10 or newer: make PYTHON=python3.12 run"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is missing: installing the package python3-venv"; \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq python3-venv; else sudo apt-get update -qq && sudo apt-get install -y -qq python3-venv; fi; } >&2
	@$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/pip
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/installed-dev: pyproject.toml | .venv/bin/pip
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ .venv/installed

run: .venv/installed
	@sh docs/sample/run.sh $(BIN)/ot-doctor '$(DIR)' $(ARGS)

# pytest keeps the tests as it has rewritten them, which is half of its start.
unexport PYTHONDONTWRITEBYTECODE
# Tests wait as much as they work, so there are two processes for each processor.
PROCESSORS := $(shell $(PYTHON) -c 'import os; print(os.cpu_count() or 1)')
PYTEST := $(BIN)/python -m pytest -q --dist worksteal

check: .venv/installed-dev lint
	$(PYTEST) --numprocesses $$((2 * $(PROCESSORS))) -m "not engine and not slow"

test: .venv/installed-dev lint
	$(PYTEST) --numprocesses $$((2 * $(PROCESSORS)))

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/mypy

readme: .venv/installed-dev
	OT_DOCTOR_UPDATE_GOLDEN=1 $(BIN)/python -m pytest -q -m "not engine" tests/test_readme.py

bench: .venv/installed-dev
	$(BIN)/python -m tests.bench

docs: .venv/installed-dev
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs

man: .venv/installed-dev
	$(BIN)/sphinx-build -W -q -E -b man docs/man build/man
	cp build/man/ot-doctor.1 docs/man/

dist: .venv/installed-dev man
	$(BIN)/python .ci/dist.py dist

clean:
	rm -rf .venv .parts build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
