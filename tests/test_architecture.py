"""The package as a whole: what imports what, and that the documentation says what the code does."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

import sk_tsattn
import sk_tsattn.attention
import sk_tsattn.datasets
import sk_tsattn.inspection
from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn._param_validation import CONSTRAINTS
from sk_tsattn._training._net import HISTORY_COLUMNS

PACKAGE = Path(sk_tsattn.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# The data's path: a file imports from its own line or from those above, and never from below.
LAYERS = [
    {"exceptions", "_version"},
    {"datasets"},
    {"_processes", "_random", "_threads"},
    {"_data"},
    {"attention"},
    {"inspection"},  # of any estimator that predicts: it imports none
    {"_plot"},
    {"_training"},
    {"_export"},
    {"_param_validation"},
    {"_docstrings"},
    {"_placing", "_attending", "_fitting", "_saving", "_exporting", "_base"},
    {"_regressor", "_classifier"},
    {"_backtest"},
    {""},  # the package's own __init__.py
]
# Parameters whose values the estimator leaves to others: torch and check_random_state.
CHECKED_ELSEWHERE = {"device", "random_state"}


def location(path):
    """Name the file in the package: ('attention', '_luong'); ('',) is the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ("",) if parts == ("__init__",) else tuple(p for p in parts if p != "__init__")


def imports(path):
    """List the imports of a file as (module, whether they wait for a call or a type checker)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING")
        for node in ast.walk(block)
    }
    folder = ("sk_tsattn", *path.relative_to(PACKAGE).parent.parts)
    found = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = folder[: len(folder) - node.level + 1] if node.level else ()
            module = ".".join((*above, *filter(None, [node.module])))
            # "from . import x" and "from sk_tsattn import x" may name a file.
            names = (
                [f"{module}.{a.name}" for a in node.names] if module == "sk_tsattn" else [module]
            )
        found += [(name, id(node) in inside) for name in names]
    return found


def layer_of(name):
    return next(i for i, names in enumerate(LAYERS) if name in names)


def importers(library):
    """Find the places of the files that import a library."""
    return {
        location(path)
        for path in FILES
        for module, _ in imports(path)
        if module.split(".")[0] == library
    }


def described(doc, section):
    """Read a numpydoc section: {name: text of its type line}."""
    body = re.search(rf"^{section}\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", doc, re.DOTALL | re.MULTILINE)
    found = {}
    for names, text in re.findall(r"^(\w[\w, ]*?) : (.+)$", body[1], re.MULTILINE):
        found.update(dict.fromkeys(names.split(", "), text))
    return found


def public_names():
    return [
        pytest.param(module, name, id=f"{module.__name__}.{name}")
        for module in (sk_tsattn, sk_tsattn.datasets, sk_tsattn.attention, sk_tsattn.inspection)
        for name in module.__all__
    ]


def public_estimators():
    return [
        value
        for value in vars(sk_tsattn).values()
        if isinstance(value, type) and issubclass(value, BaseEstimator)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(location(path)))
def test_imports_go_one_way(path):
    place = location(path)[0]
    for module, _ in imports(path):
        parts = module.split(".")
        if parts[0] != "sk_tsattn" or parts[1:2] == [place]:
            continue
        assert layer_of(parts[1]) <= layer_of(place), f"{place} imports {module}"


def test_every_file_has_its_layer():
    named = set().union(*LAYERS)
    assert {location(path)[0] for path in FILES} == named


def test_data_sets_stand_alone():
    for path in (PACKAGE / "datasets").glob("*.py"):
        for module, _ in imports(path):
            assert not module.startswith("sk_tsattn") or module.startswith("sk_tsattn.datasets")


def test_only_the_network_and_its_training_know_torch():
    places = {place[0] for place in importers("torch")}
    below = {"_processes", "_random", "_threads"}
    assert places == {*below, "attention", "_data", "_training", "_export"}


def test_only_the_training_knows_skorch():
    assert {place[0] for place in importers("skorch")} == {"_training"}


def test_matplotlib_is_imported_inside_the_drawing_functions_alone():
    places = importers("matplotlib")
    assert {place[0] for place in places} == {"_plot"}
    for place in places:
        for module, in_function in imports(PACKAGE.joinpath(*place).with_suffix(".py")):
            assert in_function or module.split(".")[0] != "matplotlib"


def test_libraries_that_few_need_are_imported_when_they_are_used():
    few = {
        "dask",
        "distributed",
        "h5py",
        "matplotlib",
        "onnx",
        "onnxscript",
        "polars",
        "ray",
        "zarr",
    }
    program = "import sys, sk_tsattn, sk_tsattn.inspection, sk_tsattn.datasets; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not few & set(run.stdout.split())


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(location(path)))
def test_every_file_says_in_its_first_line_what_it_is_about(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(("module", "name"), public_names())
def test_every_public_name_has_a_docstring(module, name):
    value = getattr(module, name)
    if callable(value):
        assert len(value.__doc__.split()) >= 5
        assert value.__doc__.strip().split("\n\n")[0].endswith((".", "_"))
    else:  # a constant has none of its own: the file that defines it explains it
        registry = sys.modules["sk_tsattn.attention._registry"]
        assert getattr(registry, name) is value
        assert len(registry.__doc__.split()) >= 5


@pytest.mark.parametrize("estimator", public_estimators())
def test_every_parameter_and_attribute_has_a_description(estimator):
    for section in ("Parameters", "Attributes"):
        body = inspect.getdoc(estimator).split(f"{section}\n---")[1].split("\n---")[0]
        entries = re.findall(r"^\w[\w, ]* : .+\n(.*)\n", body, re.MULTILINE)
        assert entries
        assert all(line.startswith("    ") for line in entries)
    assert not re.search(r"^.+\n\w[\w ]*\n---", inspect.getdoc(estimator), re.MULTILINE)


@pytest.mark.parametrize("estimator", public_estimators())
def test_public_methods_have_a_docstring(estimator):
    for name, method in vars(estimator).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            assert inspect.getdoc(method), name


@pytest.mark.parametrize("estimator", public_estimators())
def test_documented_parameters_and_defaults_are_those_of_the_signature(estimator):
    documented = described(inspect.getdoc(estimator), "Parameters")
    signature = inspect.signature(estimator).parameters
    assert list(documented) == list(signature)
    for name, parameter in signature.items():
        default = documented[name].split("default=")[1]
        assert ast.literal_eval(default) == parameter.default, name


@pytest.mark.parametrize(
    "function", [v for v in vars(sk_tsattn.datasets).values() if inspect.isfunction(v)]
)
def test_documented_defaults_of_the_data_sets_are_those_of_the_signature(function):
    documented = described(inspect.getdoc(function), "Parameters")
    signature = inspect.signature(function).parameters
    assert list(documented) == list(signature)
    for name, parameter in signature.items():
        default = documented[name].split("default=")[1]
        assert ast.literal_eval(default) == parameter.default, name


@pytest.mark.parametrize(
    "function",
    [
        v
        for v in vars(sk_tsattn.inspection).values()
        if inspect.isfunction(v) and inspect.signature(v).parameters
    ],
)
def test_documented_defaults_of_the_inspections_are_those_of_the_signature(function):
    documented = described(inspect.getdoc(function), "Parameters")
    signature = inspect.signature(function).parameters
    assert list(documented) == list(signature)
    for name, parameter in signature.items():
        _, has_default, default = documented[name].partition("default=")
        assert bool(has_default) == (parameter.default is not parameter.empty), name
        assert not has_default or ast.literal_eval(default) == parameter.default, name


@pytest.mark.parametrize("estimator", public_estimators())
def test_every_fitted_attribute_is_documented_and_every_documented_one_is_set(estimator):
    X = np.random.default_rng(0).normal(size=(40, 3))
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = estimator(lookback=4, max_epochs=1).fit(frame, np.arange(40) % 2)
    fitted = {name for name in vars(model) if name.endswith("_") and not name.startswith("_")}
    assert fitted == set(described(inspect.getdoc(model), "Attributes"))


def test_the_documentation_names_the_columns_of_the_history():
    text = inspect.getdoc(AttentionLSTMRegressor)
    entry = text[text.index("history_ :") : text.index("n_iter_ :")]
    for column in HISTORY_COLUMNS.values():
        assert f"``{column}``" in entry


def test_every_parameter_has_a_constraint():
    parameters = {name for estimator in public_estimators() for name in estimator().get_params()}
    assert set(CONSTRAINTS) <= parameters
    assert parameters - set(CONSTRAINTS) <= CHECKED_ELSEWHERE


def parameters_with_constraints():
    return [
        (estimator, name)
        for estimator in public_estimators()
        for name in estimator().get_params()
        if name in CONSTRAINTS
    ]


@pytest.mark.parametrize(("estimator", "name"), parameters_with_constraints())
def test_defaults_satisfy_their_constraints(estimator, name):
    check, text = CONSTRAINTS[name]
    assert check(getattr(estimator(), name))
    assert text


@pytest.mark.parametrize(("estimator", "name"), parameters_with_constraints())
def test_a_wrong_value_of_a_parameter_is_an_error_that_names_it(estimator, name):
    X, y = np.zeros((20, 4, 2)), np.arange(20) % 2
    model = estimator(**{name: object()})
    with pytest.raises(ValueError, match=f"^The '{name}' parameter of {estimator.__name__}"):
        model.fit(X, y)
    assert not hasattr(model, "net_")


def test_a_wrong_value_of_a_parameter_is_found_by_partial_fit_too():
    model = AttentionLSTMRegressor(lr=-1.0)
    with pytest.raises(ValueError, match=r"'lr' parameter .* must be a number > 0"):
        model.partial_fit(np.zeros((20, 4, 2)), np.zeros(20))
