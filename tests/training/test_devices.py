"""Devices and processes: a fitted model predicts on other devices and in forked processes."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn._data._batches import WindowDataset
from sk_tsattn._data._scaling import Standardizer
from sk_tsattn._data._windows import Windows
from sk_tsattn._training import resolve_device

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5, 3))
Y = X[:, 2, 1]

FORK = """
import multiprocessing
import numpy as np
from sk_tsattn import AttentionLSTMRegressor

rows = np.random.default_rng(0).normal(size=(2000, 30))
options = {"hidden_size": 64, "lookback": 20, "max_epochs": 1, "attention_mode": None}
model = AttentionLSTMRegressor(**options, random_state=0).fit(rows, rows[:, 0])
expected = model.predict(rows)

def work(queue):
    queue.put(model.predict(rows))

context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=work, args=(queue,))
process.start()
result = queue.get(timeout=60)
process.join(60)
np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-6)
"""


def quick(**changes):
    options = {"attention": "luong", "hidden_size": 4, "max_epochs": 2, "random_state": 0}
    return AttentionLSTMRegressor(**options | changes)


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "mps", "meta"])
def test_an_unavailable_device_is_an_error_and_does_not_change_the_model(device):
    if device.startswith("cuda") and torch.cuda.is_available():
        device = "cuda:1234"
    model = quick().fit(X, Y)
    before = model.predict(X)
    with pytest.raises(ValueError, match=rf"'device' parameter.*Got '{device}'.*not available"):
        model.set_params(device=device).fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), before)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_an_accelerator_if_there_is_one(cuda, mps, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert resolve_device("auto") == expected


class TypesOnMeta(TorchDispatchMode):
    """Record the types of the numbers on torch's device without memory."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.is_meta and result.is_floating_point():
            self.found.add(result.dtype)
        return result


def test_data_are_put_on_the_device_in_its_precision_and_cut_there(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "isnan", lambda self: torch.zeros(1, dtype=torch.bool))
    scaler = Standardizer.for_features(X, np.ones(len(X)), standardize=True, columns=[0, 1, 2])
    with TypesOnMeta() as types:
        data = WindowDataset(
            Windows.of_windows(X),
            scaler,
            dtype="float32",
            device="meta",
            y=Y[:, None],
            weight=np.ones(len(X)),
        )
        batch = data.batch(torch.arange(4))
        y, weight = data.targets(torch.arange(4))
    assert types.found == {torch.float32}  # Apple's devices have no double precision
    assert batch["X"].shape == (4, 5, 3)
    assert all(tensor.is_meta for tensor in (batch["X"], y, weight))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_model_used_in_the_parent_predicts_in_a_forked_child_with_several_threads():
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    script = [sys.executable, "-W", "ignore", "-c", FORK]
    subprocess.run(script, check=True, timeout=120, env=environment)
