# `make demo` and `make test` need only Python >= 3.11 and make: they build .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PARALLEL := -n auto --maxprocesses=4

.PHONY: demo test test-docs test-slow test-fuzz lint format docs bench clean

# torch is installed first, at its pinned version, so that no later package installs another build.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/python -m sklearn_neurox demo --out demo-output

# Each process has one thread, so that the processes do not wait for each other's threads.
test test-docs test-fuzz: export OMP_NUM_THREADS := 1

# Runs the unit tests and the examples in docstrings.
test: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term --durations=10

# Runs the code on the pages, the gallery and the notebook, and builds the site.
test-docs: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL) -m docs --durations=10 tests/docs

# Runs 20,000 random inputs for each reader, checker and format.
test-fuzz: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL) -m fuzz --hypothesis-profile=fuzz --durations=10 tests/fuzz

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

bench: $(STAMP)
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script; done

clean:
	rm -rf $(VENV) docs/_build docs/api docs/api.md docs/gallery demo-output .mypy_cache .pytest_cache .ruff_cache
