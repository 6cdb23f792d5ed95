# `make demo` and `make test` need only Python >= 3.11 and make: they build .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PARALLEL := -n auto --maxprocesses=4

.PHONY: demo test coverage test-docs test-slow test-fuzz test-lowest test-newest soak lint format docs bench clean

# Modules are compiled when they are first imported, and the result is kept. pip would compile all
# installed modules, most of which are never imported.
unexport PYTHONDONTWRITEBYTECODE
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check --no-compile

# torch is installed first, at its pinned version, so that no later package installs another build.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP_INSTALL) -c constraints.txt torch
	$(BIN)/python $(PIP_INSTALL) -c constraints.txt -e '.[all]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/python -m sklearn_neurox demo --out demo-output

# Each process has one thread, so that the processes do not wait for each other's threads.
test coverage test-docs test-fuzz soak: export OMP_NUM_THREADS := 1

# Runs the unit tests and the examples in docstrings.
test: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL) --durations=10

# Runs the same tests, and shows the lines that none of them runs.
coverage: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term

# Runs the code on the pages, the gallery and the notebook, and builds the site.
test-docs: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL) -m docs --durations=10 tests/docs

# Runs 20,000 random inputs for each reader, checker and format.
test-fuzz: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL) -m fuzz --hypothesis-profile=fuzz --durations=10 tests/fuzz

# Both release checks build their own environments, and remove them first if they exist.
# Packages that only other packages require are the newest ones, about whose use of deprecated
# functions old packages warn.
test-lowest test-newest: export OMP_NUM_THREADS := 1
RELEASE_CHECK = -m pytest $(PARALLEL) -W ignore::DeprecationWarning

# Runs the unit tests with exactly the lowest versions that pyproject.toml allows.
test-lowest:
	$(PYTHON) -m venv --clear .venv-lowest
	.venv-lowest/bin/python $(PIP_INSTALL) -c constraints-lowest.txt -e '.[all]'
	.venv-lowest/bin/python $(RELEASE_CHECK)

# Runs the unit tests on another Python: `make test-newest PYTHON=python3.14`.
test-newest:
	$(PYTHON) -m venv --clear .venv-newest
	.venv-newest/bin/python $(PIP_INSTALL) -c constraints.txt torch
	.venv-newest/bin/python $(PIP_INSTALL) -c constraints.txt -e '.[test]'
	.venv-newest/bin/python $(RELEASE_CHECK)

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

# Makes random mixed calls for an hour. `SEED=1 make soak` makes others.
SEED ?= 0
soak: $(STAMP)
	$(BIN)/python -m tests.reliability.soak --minutes 60 --seed $(SEED) --log soak.jsonl

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
	rm -rf $(VENV) .venv-lowest .venv-newest docs/_build docs/api docs/api.md docs/gallery demo-output .mypy_cache .pytest_cache .ruff_cache
