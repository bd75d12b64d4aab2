# `make help` lists the commands. They need python >= 3.11 and make; each installs what it needs.
# Networks of this size gain nothing from a second thread, and wait for it on a busy machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Dependency groups need pip 25.1; --constraint fixes the versions.
INSTALL := -m pip install --quiet --editable .

.DEFAULT_GOAL := help
.PHONY: help demo lint test test-sklearn-versions test-wheel docs picture \
	benchmark benchmark-believability benchmark-events benchmark-real benchmark-skill \
	benchmark-missing clean

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

# scikit-learn 1.6 with the libraries of its time, and the newest of everything but torch.
test-sklearn-versions: .venv-1.6/.installed .venv-newest/.installed  ## test with the oldest and the newest scikit-learn
	OMP_NUM_THREADS=1 .venv-1.6/bin/pytest -n 2 -p no:cacheprovider
	OMP_NUM_THREADS=1 .venv-newest/bin/pytest -n 2 -p no:cacheprovider

test-wheel: $(VENV)/.installed-dev  ## build the wheel and use it in an empty environment
	rm -rf dist .venv-wheel
	$(BIN)/python -m build --quiet
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet --constraint constraints.txt dist/*.whl
	cd dist && OMP_NUM_THREADS=1 ../.venv-wheel/bin/python ../.ci/wheel_smoke.py

docs: $(VENV)/.installed-dev  ## build the documentation in docs/_build/html
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --builder html docs docs/_build/html

picture: $(VENV)/.installed  ## draw the picture of the README
	OMP_NUM_THREADS=1 $(BIN)/python docs/draw_readme_picture.py

benchmark: $(VENV)/.installed  ## compare the mechanisms' cost and errors
	$(BIN)/python benchmarks/mechanisms.py

# Hours: see --help for less.
benchmark-believability: $(VENV)/.installed-benchmark  ## hold attention against known relevant cells
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/believability.py --check --jobs 2 $(OPTIONS)

# Hours: see --help for less.
benchmark-events: $(VENV)/.installed-benchmark  ## hold attention against events at random places
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/events.py --check --jobs 2 $(OPTIONS)

benchmark-real: $(VENV)/.installed  ## compare errors on real data, and attention on irrelevant columns
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/real_data.py --check --jobs 2 $(OPTIONS)

# Hours: see --help for less.
benchmark-skill: $(VENV)/.installed  ## compare forecasts with simple models, at several horizons
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/skill.py --check --jobs 2 $(OPTIONS)

# Hours: see --help for less.
benchmark-missing: $(VENV)/.installed  ## compare errors with missing values, as they are and imputed
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/missing.py --check --jobs 2 $(OPTIONS)

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python $(INSTALL) --constraint constraints.txt --group test
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python $(INSTALL) --constraint constraints.txt --group dev
	touch $@

$(VENV)/.installed-benchmark: $(VENV)/.installed
	$(BIN)/python $(INSTALL) --constraint constraints.txt --group test --group benchmark
	touch $@

.venv-1.6/.installed: pyproject.toml constraints-sklearn-1.6.txt
	$(PYTHON) -m venv .venv-1.6
	.venv-1.6/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-1.6/bin/python $(INSTALL) --constraint constraints-sklearn-1.6.txt --group test
	touch $@

.venv-newest/.installed: pyproject.toml constraints-torch.txt
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-newest/bin/python $(INSTALL) --upgrade --constraint constraints-torch.txt --group test
	touch $@

clean:  ## remove environments, caches and built files
	rm -rf .venv .venv-1.6 .venv-newest .venv-wheel .mypy_cache .pytest_cache .ruff_cache dist
	rm -rf docs/_build docs/auto_examples docs/api/generated docs/sg_execution_times.rst
