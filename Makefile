# Two commands do everything: `make demo` and `make test`. Both need python >= 3.11 and make.
# Networks of this size gain nothing from a second thread, and wait for it on a busy machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo pictures test test-sklearn-versions benchmark benchmark-believability benchmark-real clean

demo: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python examples/quickstart.py

test: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 SCIPY_ARRAY_API=1 $(BIN)/pytest -q tests/test_sklearn_checks.py -k array_api
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

benchmark: $(VENV)/.installed
	$(BIN)/python benchmarks/mechanisms.py

# The three pictures of the README.
pictures: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python examples/readme_pictures.py --folder docs/images

# Does attention point at the truth, on made data and on real data? Hours: see --help for less.
benchmark-believability: $(VENV)/.installed-benchmark
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/believability.py --bars --jobs 2 $(OPTIONS)

benchmark-real: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/real_data.py --bars --jobs 2 $(OPTIONS)

# scikit-learn 1.6 with the libraries of its time, and the newest of everything but torch.
test-sklearn-versions: .venv-1.6/.installed .venv-newest/.installed
	.venv-1.6/bin/pytest -n 2 -p no:cacheprovider
	.venv-newest/bin/pytest -n 2 -p no:cacheprovider

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@

$(VENV)/.installed-benchmark: $(VENV)/.installed constraints-benchmark.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --constraint constraints-benchmark.txt --editable ".[test,benchmark]"
	touch $@

.venv-1.6/.installed: pyproject.toml constraints-sklearn-1.6.txt
	$(PYTHON) -m venv .venv-1.6
	.venv-1.6/bin/python -m pip install --quiet --constraint constraints-sklearn-1.6.txt --editable ".[test]"
	touch $@

.venv-newest/.installed: pyproject.toml constraints-torch.txt
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade --constraint constraints-torch.txt --editable ".[test]"
	touch $@

clean:
	rm -rf .venv .venv-1.6 .venv-newest .mypy_cache .pytest_cache .ruff_cache
