"""The code of the pages in docs/ runs and prints what the page shows; links lead somewhere."""

import doctest
import re
import warnings
from fractions import Fraction
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import sk_tsattn
import sk_tsattn.attention
import sk_tsattn.datasets
import sk_tsattn.exceptions
import sk_tsattn.inspection
from sk_tsattn._training import _interchange, _path, _selection

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```(python|pycon)\n(.*?)^```", re.M | re.S)
# The sections of the page "works with" are tested one by one, in tests/tools.
WITH_CODE = [p for p in PAGES if BLOCK.search(p.read_text("utf-8")) and p.stem != "works_with"]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.stem)
def test_the_code_of_a_page_prints_what_it_shows(page, monkeypatch, tmp_path):
    plt.switch_backend("Agg")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    text = page.read_text("utf-8")
    with warnings.catch_warnings():
        # A page may show a warning's cause; those that it shows it catches itself.
        warnings.simplefilter("error")
        for match in BLOCK.finditer(text):
            line = text[: match.start(2)].count("\n")
            if match[1] == "python":
                exec(compile("\n" * line + match[2], page.name, "exec"), names)
                continue
            test = doctest.DocTestParser().get_doctest(match[2], names, page.name, page.name, line)
            report: list[str] = []
            runner.run(test, out=report.append, clear_globs=False)
            names = test.globs
            assert not runner.summarize(verbose=False).failed, "".join(report)
    plt.close("all")


def test_an_included_part_begins_and_ends_with_text_of_its_file():
    include = re.compile(
        r"^```{include} (\S+)\n:start-after: \"(.+)\"\n:end-before: \"(.+)\"", re.M
    )
    parts = [(page, *match) for page in PAGES for match in include.findall(page.read_text("utf-8"))]
    assert parts
    for page, file, start, end in parts:
        _, part = (page.parent / file).read_text("utf-8").split(start, maxsplit=1)
        assert end in part, f"{page.name}: {end}"


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES], ids=lambda p: p.name
)
def test_relative_links_and_images_lead_to_files(page):
    text = page.read_text("utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)|^```\{image\} (\S+)", text, re.M)
    for target in filter(None, (link or image for link, image in targets)):
        if "://" not in target and "auto_examples" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize(
    "module",
    [
        sk_tsattn,
        sk_tsattn.attention,
        sk_tsattn.datasets,
        sk_tsattn.exceptions,
        sk_tsattn.inspection,
    ],
    ids=lambda module: module.__name__,
)
def test_the_api_reference_names_everything_public(module):
    words = re.findall(r"\w+", (ROOT / "docs" / "api" / "index.rst").read_text("utf-8"))
    assert set(module.__all__) <= set(words)


def test_the_page_on_the_training_has_the_constants_of_the_code():
    constants = {
        name: value
        for module in (_path, _selection, _interchange)
        for name, value in vars(module).items()
        if name.isupper() and name != "PHASES"
    }
    text = (ROOT / "docs" / "default_training.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.M)
    shown = {
        name: [float(Fraction(number)) for number in value.split(", ")] for name, value in rows
    }
    assert len(shown) == len(rows)
    assert set(shown) == set(constants) - {"INFERENCE_BATCH"}
    for name, numbers in shown.items():
        assert numbers == pytest.approx(np.ravel(constants[name]).tolist()), name
