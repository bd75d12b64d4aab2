"""Every example runs, opens with a question, closes with its limits, and leaves nothing behind."""

import re
import runpy
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from sk_tsattn import AttentionLSTMRegressor

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
all_examples = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


@pytest.fixture
def one_epoch(monkeypatch):
    """Let every fit last for one epoch."""
    fit = AttentionLSTMRegressor.fit

    def short_fit(self, X, y, **options):
        # max_epochs is restored: a search compares its candidates by their parameters.
        max_epochs, self.max_epochs = self.max_epochs, 1
        try:
            return fit(self, X, y, **options)
        finally:
            self.max_epochs = max_epochs

    monkeypatch.setattr(AttentionLSTMRegressor, "fit", short_fit)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@all_examples
def test_example_runs_draws_a_figure_and_leaves_no_file(
    path, one_epoch, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setattr(sys, "argv", [str(path)])
    monkeypatch.chdir(tmp_path)
    before = set(path.parent.iterdir())
    plt.close("all")
    try:
        runpy.run_path(str(path), run_name="__main__")
        assert plt.get_fignums()
    finally:
        plt.close("all")
    assert re.search(r"\d", capsys.readouterr().out)
    assert not list(tmp_path.iterdir())
    assert set(path.parent.iterdir()) == before


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_quickstart_saves_its_picture_at_the_path_of_the_command_line(
    one_epoch, tmp_path, monkeypatch
):
    path = ROOT / "examples" / "plot_quickstart.py"
    picture = tmp_path / "attention.png"
    monkeypatch.setattr(sys, "argv", [str(path), str(picture)])
    runpy.run_path(str(path), run_name="__main__")
    plt.close("all")
    assert picture.read_bytes().startswith(b"\x89PNG")


@all_examples
def test_example_opens_with_a_question_and_closes_with_its_limits(path):
    text = path.read_text(encoding="utf-8")
    start, title, underline = text.splitlines()[:3]
    assert start in ('"""', 'r"""')
    assert title.endswith("?")
    assert underline == "=" * len(title)
    last_cell = text.rsplit("# %%", 1)[1]
    assert "# What was learned\n# ----------------\n" in last_cell
    assert "**When not to trust it.**" in last_cell
