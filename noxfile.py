"""Tests with other versions of python and of the libraries: ``nox --list`` names the sessions.

``nox`` runs all of them; ``nox -s newest-3.13 -- tests/data`` runs some tests of one. Each session
makes an environment of its own in ``.nox/``. On Linux, pip installs torch with CUDA: set
``PIP_EXTRA_INDEX_URL`` to an index of CPU wheels to save 3 GB each.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = True

ENVIRONMENT = {"OMP_NUM_THREADS": "1"}


def run_tests(session: nox.Session, *paths: str) -> None:
    """Run the tests at ``paths``, or those named after ``--``."""
    chosen = session.posargs or [*paths, "-n", "2"]
    session.run("pytest", "-p", "no:cacheprovider", *chosen, env=ENVIRONMENT)


def install(session: nox.Session, *arguments: str) -> None:
    """Install the package and what its tests need."""
    session.install("--upgrade", "pip>=25.1")  # dependency groups
    session.install("--editable", ".", "--group", "test", *arguments)


@nox.session(python="3.11")
def oldest(session: nox.Session) -> None:
    """The oldest versions that pyproject.toml allows: scikit-learn 1.6, pandas 2, torch 2.4."""
    install(session, "--constraint", "constraints-oldest.txt")
    run_tests(session)


@nox.session(python=["3.12", "3.13"])
def newest(session: nox.Session) -> None:
    """The newest versions of everything: scikit-learn, pandas 3, torch."""
    install(session, "--upgrade", "--upgrade-strategy", "eager")
    run_tests(session)


@nox.session(python="3.11")
def tools(session: nox.Session) -> None:
    """The tools around the estimator: the page "works with", and ONNX files."""
    install(session, "mlflow>=3", "ray", "shap", "--constraint", "constraints.txt")
    run_tests(session, "tests/tools")
    if not session.posargs:
        session.run("python", "benchmarks/onnx_files.py", "--check", env=ENVIRONMENT)


@nox.session(python="3.11")
def forecasting(session: nox.Session) -> None:
    """The adapters of sktime and skforecast, which need older libraries."""
    install(session, "sktime", "skforecast")
    run_tests(session, "tests/tools")


@nox.session(python="3.11", default=False)
def nhits(session: nox.Session) -> None:
    """Hours: the benchmark of forecasts for NHITS of neuralforecast; options after ``--``."""
    session.install("--editable", ".", "neuralforecast>=3.3")
    models = ["--models", "persistence", "seasonal", "ridge", "boosting", "nhits"]
    session.run("python", "benchmarks/skill.py", *models, *session.posargs, env=ENVIRONMENT)


@nox.session(python="3.11")
def packages(session: nox.Session) -> None:
    """Build the sdist and the wheel, and use each in an empty environment."""
    session.install("build", "twine")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", "--quiet")
    files = sorted(str(path) for path in Path("dist").iterdir())
    session.run("twine", "check", "--strict", *files)
    session.run("python", "-m", "pip", "uninstall", "--yes", "build", "twine", silent=True)
    # The second installation keeps the libraries of the first.
    for file, options in zip(files, ([], ["--no-deps", "--force-reinstall"]), strict=True):
        session.install(*options, "--constraint", "constraints.txt", file)
        with session.chdir("dist"):
            session.run("python", "../.ci/package_smoke.py", env=ENVIRONMENT)


@nox.session(default=False)
def conda(session: nox.Session) -> None:
    """Build the conda package of recipe/meta.yaml and test it, with an installed conda-build."""
    session.run("conda", "build", "recipe", "--channel", "conda-forge", external=True)
