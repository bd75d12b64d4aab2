"""The benchmark of time and memory runs."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="a source distribution has no benchmarks")
@pytest.mark.skipif(sys.platform != "linux", reason="reads memory as Linux does")
@pytest.mark.parametrize("on_disk", [False, True])
def test_a_setting_takes_time_and_memory(on_disk, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    module = importlib.import_module("large_data")
    small = {"rows": 200, "lookback": 4, "features": 3, "n_trained": 50, "n_predicted": 20}
    found = module.measure(module.BASE | small | {"epochs": 1, "on_disk": on_disk})
    assert found["epoch"] > 0
    assert found["predict"] > 0
    X = module.make_rows(120, 2)
    assert X.shape == (120, 2)
    assert np.abs(X.std() - 1) < 0.2
