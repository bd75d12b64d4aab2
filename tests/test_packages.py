"""The files of a release agree with each other."""

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import sk_tsattn

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipe" / "meta.yaml"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


@pytest.fixture
def recipe():
    return pytest.importorskip("yaml", reason="reads the recipe").safe_load(RECIPE.read_text())


def as_conda(requirements):
    """Translate requirements of pip such as 'torch>=2.4' to 'pytorch >=2.4'."""
    pairs = (requirement.split(">=") for requirement in requirements)
    return sorted(f"{CONDA_NAMES.get(name, name)} >={minimum}" for name, minimum in pairs)


def test_every_file_has_the_version_of_the_package(recipe):
    assert recipe["package"]["version"] == PROJECT["version"] == sk_tsattn.__version__
    assert version("sk-tsattn") == sk_tsattn.__version__


def test_the_conda_package_needs_what_the_wheel_needs(recipe):
    python = f"python {PROJECT['requires-python']}"
    assert sorted(recipe["requirements"]["run"]) == sorted(
        [python, *as_conda(PROJECT["dependencies"])]
    )
    optional = {name for extra in PROJECT["optional-dependencies"].values() for name in extra}
    extras = {r for r in optional if not r.startswith("torch")}  # a lower bound of the extra
    assert sorted(recipe["requirements"]["run_constrained"]) == as_conda(extras)


def test_the_oldest_versions_that_are_tested_are_those_that_are_declared():
    tested = dict(
        line.split("==")
        for line in (ROOT / "constraints-oldest.txt").read_text().splitlines()
        if "==" in line
    )
    for requirement in PROJECT["dependencies"]:
        name, minimum = requirement.split(">=")
        assert tested[name].startswith(minimum), name
