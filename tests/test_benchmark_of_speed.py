"""The benchmark of speed prints what it says."""

import importlib
from pathlib import Path

import pytest

from sk_tsattn.attention import ATTENTION_MECHANISMS

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
pytestmark = pytest.mark.skipif(
    not BENCHMARKS.is_dir(), reason="a source distribution has no benchmarks"
)


@pytest.fixture
def speed(monkeypatch):
    """Return the benchmark, with tiny shapes."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    speed = importlib.import_module("speed")
    monkeypatch.setattr(speed, "SHAPES", {"1": (32, 6, 3, 4, 16)})
    monkeypatch.setattr(speed, "WHOLE_LOOKBACK", 6)
    monkeypatch.setattr(speed, "WHOLE_FEATURES", 3)
    monkeypatch.setattr(speed, "GATED_EPOCHS", 2)
    return speed


def table(printed):
    """Read the rows of a markdown table, without its head."""
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_speed_prints_a_row_for_each_mechanism_and_mode(speed, capsys):
    speed.main(["--turns", "1", "--seconds", "0"])
    rows = table(capsys.readouterr().out)
    plain = [[speed.LOOP, "-"], [speed.SKORCH, "-"], [speed.PLAIN, "-"]]
    others = [[name, mode] for name, modes in ATTENTION_MECHANISMS.items() for mode in modes]
    assert [row[1:3] for row in rows[:-1]] == plain + others
    assert all(float(row[3].split()[0]) > 0 for row in rows)


def test_whole_fits_are_compared_with_the_plain_lstm(speed, capsys):
    speed.main(["--whole", "--rows", "60"])
    rows = table(capsys.readouterr().out)
    assert [row[0] for row in rows] == ["default", speed.PLAIN, "boosting"]
    assert float(rows[1][2]) == 1.0


def test_a_ratio_above_its_threshold_shows_it(speed):
    assert speed.against(1.5, 1.5) == "1.50"
    assert speed.against(1.51, 1.5) == "1.51 (> 1.5)"
    assert speed.against(9.0, None) == "9.00"
