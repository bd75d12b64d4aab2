"""The README's python blocks run, in order, as a reader would paste them."""

import re
from pathlib import Path

import matplotlib
import pytest

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.attention import ATTENTION_MECHANISMS

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.M | re.S)


def test_the_readme_has_a_quickstart_of_at_most_20_lines():
    assert BLOCKS
    assert len(BLOCKS[0].strip().splitlines()) <= 20


def test_the_python_blocks_run_in_order(monkeypatch, tmp_path, capsys):
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    # The comment behind the second block's print says what it prints.
    assert "(283, 10, 2) (283, 3)" in printed
    rmse = float(re.search(r"RMSE +([\d.]+)", printed)[1])
    persistence = float(re.search(r"persistence ([\d.]+)", printed)[1])
    assert rmse < persistence
    assert names["weights"].cell.sum(axis=(1, 2)) == pytest.approx(1)


@pytest.mark.parametrize("attention", ATTENTION_MECHANISMS)
def test_every_mechanism_is_named_in_the_readme_and_in_the_docstring(attention):
    assert f'`"{attention}"`' in README.read_text("utf-8")
    assert f'``"{attention}"``' in AttentionLSTMRegressor.__doc__
