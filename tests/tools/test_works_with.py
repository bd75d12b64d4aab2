"""The page "works with": the code of each section runs where its tools are installed."""

import doctest
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "works_with.md"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# The name under which a tool is imported, where a block of code says it.
TOOLS = (
    "captum", "mlflow", "onnxruntime", "onnxscript", "optuna", "optuna_integration", "shap",
    "skforecast", "skops", "sktime",
)  # fmt: skip
# Warnings of tools about their own code.
pytestmark = [
    pytest.mark.skipif(not PAGE.is_file(), reason="needs the documentation"),
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:.*MLflow:UserWarning"
    ),
]


def sections():
    """Return the common code of the page, and the code of each section by its heading."""
    text = PAGE.read_text("utf-8") if PAGE.is_file() else "\n### \n"
    first, *others = re.split(r"^(?:##|###) ", text, flags=re.M)
    found = {part.partition("\n")[0]: code(part) for part in others}
    return code(first), {heading: block for heading, block in found.items() if block}


def code(text):
    return "\n".join(re.findall(r"^```pycon\n(.*?)^```", text, re.M | re.S))


COMMON, SECTIONS = sections()


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_code_of_a_section_prints_what_it_shows(heading, monkeypatch, tmp_path):
    for tool in TOOLS:
        if re.search(rf"\b{tool}\b", SECTIONS[heading]):
            pytest.importorskip(tool, reason=f"{tool} is not installed", exc_type=ImportError)
    if "sklearn.callback" in SECTIONS[heading]:
        pytest.importorskip("sklearn.callback", reason="needs scikit-learn 1.9")
    if "to_onnx" in SECTIONS[heading]:
        pytest.importorskip("torch", minversion="2.9", reason="to_onnx needs torch 2.9")
    monkeypatch.chdir(tmp_path)
    name = f"{PAGE.name}: {heading}"
    test = doctest.DocTestParser().get_doctest(f"{COMMON}\n{SECTIONS[heading]}", {}, name, name, 0)
    runner, report = doctest.DocTestRunner(optionflags=FLAGS), []
    runner.run(test, out=report.append)
    assert not runner.summarize(verbose=False).failed, "".join(report)
