"""Every example runs, says what was learnt, and leaves nothing behind."""

import os
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
# What makes each example small. An example that is not named here fails.
SETTINGS = {
    "quickstart": {"n_rows": 1500, "max_epochs": 1},
    "pipeline": {"n_rows": 1500, "max_epochs": 1},
    "grid_search_modes": {
        "lookbacks": (4,),
        "mechanisms": ("luong",),
        "seeds": (0,),
        "max_epochs": 1,
        "n_splits": 2,
    },
    "four_questions": {"n_samples": 300, "max_epochs": 1},
    "inspect_attention": {"n_samples": 200, "max_epochs": 1, "picture": "inspected.png"},
    "limits_of_attention": {"n_samples": 200, "max_epochs": 1},
    "readme_pictures": {"n_rows": 900, "max_epochs": 1},
    "forecast_panel": {"n_series": 3, "n_hours": 150, "n_ahead": 30, "max_epochs": 1},
}
PICTURES = {
    "quickstart": ["attention.png"],
    "inspect_attention": ["inspected.png"],
    "readme_pictures": ["attention_map.png", "attention_sample.png", "faithfulness.png"],
}


def files_of_the_repository():
    """List the files that are there, without those that tools keep for themselves."""
    found = set()
    for folder, names, files in os.walk(ROOT):
        names[:] = [n for n in names if n != "__pycache__" and not n.startswith(".")]
        found.update(Path(folder, name) for name in files)
    return found


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_closes_with_what_was_learnt(path, tmp_path, monkeypatch, capsys):
    assert path.stem in SETTINGS, "name settings in SETTINGS with which the example is quick"
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setattr(sys, "argv", [str(path)])
    monkeypatch.chdir(tmp_path)
    before = files_of_the_repository()
    example = runpy.run_path(str(path))
    example["main"](**SETTINGS[path.stem])
    printed = capsys.readouterr().out
    numbers, learnt = printed.split("\nLearnt: ")
    assert any(character.isdigit() for character in numbers)
    assert "Do not trust: " in learnt
    assert sorted(p.name for p in tmp_path.iterdir()) == PICTURES.get(path.stem, [])
    assert files_of_the_repository() <= before


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_opens_with_a_question(path):
    first_line = path.read_text(encoding="utf-8").splitlines()[0]
    assert first_line.startswith('"""')
    assert first_line.endswith("?")


def test_every_setting_belongs_to_an_example():
    assert set(SETTINGS) == {path.stem for path in EXAMPLES}
