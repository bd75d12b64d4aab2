"""Devices and processes: a fitted model predicts on other devices and in forked processes."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from sk_tsattn import AttentionLSTMRegressor

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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_model_used_in_the_parent_predicts_in_a_forked_child_with_several_threads():
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    script = [sys.executable, "-W", "ignore", "-c", FORK]
    subprocess.run(script, check=True, timeout=120, env=environment)
