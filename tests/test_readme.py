"""The README's python blocks run, in order, as a reader would paste them."""

import re
from pathlib import Path

import matplotlib
import pandas as pd
import pytest

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.attention import ATTENTION_MECHANISMS

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def numbers(text):
    """Read lines such as 'plain LSTM     54' as {name: number}."""
    return {name: float(n) for name, n in re.findall(r"^(\w[\w ]*?) +([\d.]+)$", text, re.M)}


def test_the_readme_is_short_and_begins_with_a_quickstart_of_at_most_20_lines():
    assert len(README.splitlines()) <= 160
    assert len(blocks("python")[0].strip().splitlines()) <= 20


def test_the_quickstart_prints_what_the_readme_shows(monkeypatch, tmp_path, capsys):
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    printed = []
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
        printed.append(capsys.readouterr().out)
    errors, attention = map(numbers, printed)
    shown_errors, shown_attention = map(numbers, blocks("text"))

    # The digits depend on the machine; the order of the errors does not.
    assert list(errors) == list(shown_errors)
    assert sorted(errors, key=errors.get) == sorted(shown_errors, key=shown_errors.get)
    assert errors["attention LSTM"] == pytest.approx(shown_errors["attention LSTM"], rel=0.15)
    assert list(attention)[:2] == list(shown_attention)[:2]
    gates = names["model"].gates_
    assert f"open gates: {round(gates.sum())} of {gates.size}" in printed[1]
    assert gates.sum() < gates.size / 3
    assert names["weights"].cell.sum(axis=(1, 2)) == pytest.approx(1)
    assert isinstance(names["attention"], pd.Series)


@pytest.mark.parametrize("attention", ATTENTION_MECHANISMS)
def test_every_mechanism_is_named_in_the_readme_and_in_the_docstring(attention):
    assert f'`"{attention}"`' in README
    assert f'``"{attention}"``' in AttentionLSTMRegressor.__doc__
