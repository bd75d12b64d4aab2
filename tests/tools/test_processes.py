"""One fit over several processes: each computes the gradient of its share of every batch."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn._random import generator, random_numbers

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available() or not torch.distributed.is_gloo_available(),
    reason="needs torch.distributed with gloo",
)

N_PROCESSES = 2
draw = np.random.default_rng(0)
# The last of the batches of 80 has one window: too few for two processes.
X = draw.normal(size=(641, 5, 3))
Y = 2 * X[:, 2, 1] + 0.1 * draw.normal(size=641)
WEIGHT = 1.0 + np.arange(641) % 3
COMMON = {"hidden_size": 4, "batch_size": 80, "max_epochs": 3, "random_state": 0}
FITS = {
    "plain": {"attention_mode": None, "early_stopping": False},
    "stopped early": {"attention": "luong", "early_stopping": True, "n_iter_no_change": 1},
    "classical": {"attention": "dense", "early_stopping": False},
    "default": {"max_epochs": 30},
    "dropout": {"attention": "bahdanau", "dropout": 0.2},
    "any seed": {"attention_mode": None, "random_state": None},
}
PROGRAM = """
import pickle, sys, warnings
import skorch, torch
from sk_tsattn import AttentionLSTMRegressor

torch.set_num_threads(1)
warnings.simplefilter("ignore")
store, number, file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with open("data.pickle", "rb") as data:
    X, y, weight, common, fits = pickle.load(data)
torch.distributed.init_process_group("gloo", init_method=store, rank=number, world_size=2)
found = {}
for name, options in fits.items():
    model = AttentionLSTMRegressor(**common | options).fit(X, y, weight)
    found[name] = model.predict(X), model.history_
try:
    AttentionLSTMRegressor(**common).fit(X[: 600 + number], y[: 600 + number])
except ValueError as error:
    found["error"] = str(error)

class Spoil(skorch.callbacks.Callback):
    def on_train_end(self, net, **kwargs):
        with torch.no_grad():
            next(net.module_.parameters()).add_(number)

try:
    options = {"attention_mode": None, "early_stopping": False, "callbacks": [Spoil()]}
    AttentionLSTMRegressor(**common, **options).fit(X, y)
except ValueError as error:
    found["differ"] = str(error)
with open(file, "wb") as out:
    pickle.dump(found, out)
torch.distributed.destroy_process_group()
"""


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """What each of the processes found."""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "program.py").write_text(PROGRAM)
    (folder / "data.pickle").write_bytes(pickle.dumps((X, Y, WEIGHT, COMMON, FITS)))
    files = [str(folder / f"{number}.pickle") for number in range(N_PROCESSES)]
    running = [
        subprocess.Popen(
            [sys.executable, "program.py", f"file://{folder}/store", str(number), file],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, file in enumerate(files)
    ]
    errors = [process.communicate(timeout=300)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], "\n".join(errors)
    return [pickle.loads(Path(file).read_bytes()) for file in files]


@pytest.mark.parametrize("name", FITS)
def test_all_processes_have_the_same_model(processes, name):
    first, second = (found[name] for found in processes)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1]["train_loss"], second[1]["train_loss"])


@pytest.mark.parametrize("name", ["plain", "stopped early", "classical"])
def test_without_sampling_it_is_the_model_that_one_process_fits(processes, name):
    prediction, history = processes[0][name]
    model = AttentionLSTMRegressor(**COMMON | FITS[name]).fit(X, Y, WEIGHT)
    assert len(history) == len(model.history_)
    np.testing.assert_allclose(history["train_loss"], model.history_["train_loss"], rtol=1e-9)
    np.testing.assert_allclose(prediction, model.predict(X), rtol=1e-6, atol=1e-9)


def test_with_sampled_gates_the_loss_is_that_of_one_process_in_distribution(processes):
    prediction, history = processes[0]["default"]
    model = AttentionLSTMRegressor(**COMMON | FITS["default"]).fit(X, Y, WEIGHT)
    error, alone = (np.mean((p - Y) ** 2) for p in (prediction, model.predict(X)))
    assert error < 1.5 * alone + 0.01
    assert history["phase"].iloc[-1] == "refit"


def test_processes_with_different_data_are_refused(processes):
    for found in processes:
        assert "the number of validation windows = 60, 61" in found["error"]
        assert "destroy_process_group" in found["error"]


def test_processes_that_come_to_different_weights_end_with_an_error(processes):
    for found in processes:
        assert "the checksum of the fitted weights" in found["differ"]
        assert "machines of one kind" in found["differ"]


def test_processes_draw_numbers_of_their_own_and_some_in_common():
    draws = []
    for process in (None, 0, 1):
        with random_numbers(3, process):
            draws.append([torch.rand(2, generator=generator(common=c)) for c in (False, True)])
    (alone, _), *shared = draws
    assert len({tuple(own.tolist()) for own in [alone, *(own for own, _ in shared)]}) == 3
    for _, common in shared:
        torch.testing.assert_close(common, alone)
