# `make help` lists the commands. They need python >= 3.11 and make; each installs what it needs.
# Networks of this size gain nothing from a second thread, and wait for it on a busy machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Dependency groups need pip 25.1; --constraint fixes the versions.
INSTALL := -m pip install --quiet --editable .

.DEFAULT_GOAL := help
.PHONY: help demo lint test docs picture \
	benchmark benchmark-believability benchmark-events benchmark-real benchmark-skill \
	benchmark-intervals benchmark-missing benchmark-speed clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-24s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.installed  ## forecast real data: a table, what mattered, a picture
	OMP_NUM_THREADS=1 $(BIN)/python examples/plot_quickstart.py attention.png

lint: $(VENV)/.installed  ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint  ## lint, then all tests
	OMP_NUM_THREADS=1 SCIPY_ARRAY_API=1 $(BIN)/pytest -q tests/estimator/test_sklearn_checks.py -k array_api
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

docs: $(VENV)/.installed-dev  ## build the documentation in docs/_build/html
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --builder html docs docs/_build/html

picture: $(VENV)/.installed  ## draw the picture of the README
	OMP_NUM_THREADS=1 $(BIN)/python docs/draw_readme_picture.py

benchmark: $(VENV)/.installed  ## compare the mechanisms' cost and errors
	$(BIN)/python benchmarks/mechanisms.py

# Hours: see --help for less.
benchmark-believability: $(VENV)/.installed  ## hold attention against known relevant cells
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/believability.py --check --jobs 2 $(OPTIONS)

# Hours: see --help for less.
benchmark-events: $(VENV)/.installed  ## hold attention against events at random places
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/events.py --check --jobs 2 $(OPTIONS)

benchmark-real: $(VENV)/.installed  ## compare errors on real data, and attention on irrelevant columns
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/real_data.py --check --jobs 2 $(OPTIONS)

# Hours: see --help for less.
benchmark-skill: $(VENV)/.installed  ## compare forecasts with simple models, at several horizons
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/skill.py --check --jobs 2 $(OPTIONS)

# Hours: see --help for less.
benchmark-intervals: $(VENV)/.installed  ## compare the coverage of prediction intervals on later data
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/intervals.py --check --jobs 2 $(OPTIONS)

# Hours: see --help for less.
benchmark-missing: $(VENV)/.installed  ## compare errors with missing values, as they are and imputed
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/missing.py --check --jobs 2 $(OPTIONS)

benchmark-speed: $(VENV)/.installed  ## compare the time of training and prediction with bare nn.LSTM
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/speed.py $(OPTIONS)

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python $(INSTALL) --constraint constraints.txt --group test
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python $(INSTALL) --constraint constraints.txt --group dev
	touch $@

clean:  ## remove environments, caches and built files
	rm -rf .venv .venv-neuralforecast .nox .mypy_cache .pytest_cache .ruff_cache dist
	rm -rf docs/_build docs/auto_examples docs/api/generated docs/sg_execution_times.rst
