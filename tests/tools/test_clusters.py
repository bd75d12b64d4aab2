"""Searches and backtests on clusters: the results are those of one process, bit by bit."""

import os
from functools import cache

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from sk_tsattn import AttentionLSTMClassifier, AttentionLSTMRegressor, backtest

# Warnings of the libraries about their own code, their ports and their memory.
pytestmark = [
    pytest.mark.filterwarnings("ignore:::distributed", "ignore:::ray", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

N = 90
generator = np.random.default_rng(0)
X = pd.DataFrame(
    generator.normal(size=(N, 3)),
    columns=list("abc"),
    index=pd.date_range("2024", periods=N, freq="h"),
)
Y = X["a"].shift(1, fill_value=0.0)
OPTIONS = {"lookback": 4, "hidden_size": 4, "max_epochs": 3, "dropout": 0.2, "random_state": 0}
SEARCHES = {
    "regressor": (AttentionLSTMRegressor(**OPTIONS), Y),
    "classifier": (AttentionLSTMClassifier(**OPTIONS), np.where(Y > 0, "up", "down")),
}


@pytest.fixture(scope="module")
def dask():
    """Two workers with two threads each."""
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, dashboard_address=None, silence_logs=50
    )
    with cluster, distributed.Client(cluster):
        yield "dask", 4


@pytest.fixture(scope="module")
def ray():
    """One machine with two workers."""
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    register_ray()
    yield "ray", 2
    ray.shutdown()


@pytest.fixture(params=["dask", "ray"])
def cluster(request):
    return request.getfixturevalue(request.param)


def search(kind, n_jobs):
    model, y = SEARCHES[kind]
    grid = {"attention": ["bottleneck", "luong"], "hidden_size": [3, 4]}
    found = GridSearchCV(model, grid, cv=TimeSeriesSplit(2), n_jobs=n_jobs, error_score="raise")
    return found.fit(X, y)


@cache
def local_search(kind):
    return search(kind, None)


@cache
def local_backtest():
    return backtest(SEARCHES["regressor"][0], X, Y, cv=3)


def test_the_jobs_run_in_other_processes(cluster):
    backend, n_jobs = cluster
    with joblib.parallel_config(backend=backend):
        processes = joblib.Parallel(n_jobs)(joblib.delayed(os.getpid)() for _ in range(8))
    assert os.getpid() not in processes


@pytest.mark.parametrize("kind", SEARCHES)
def test_a_search_on_a_cluster_is_the_local_one_in_every_bit(kind, cluster):
    backend, n_jobs = cluster
    expected = local_search(kind)
    with joblib.parallel_config(backend=backend):
        found = search(kind, n_jobs)
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(found.cv_results_[name], expected.cv_results_[name])
    best, expected = found.best_estimator_, expected.best_estimator_
    np.testing.assert_array_equal(best.attention_, expected.attention_)


def test_a_backtest_on_a_cluster_is_the_local_one_in_every_bit(cluster):
    backend, n_jobs = cluster
    expected = local_backtest().predictions
    with joblib.parallel_config(backend=backend):
        found = backtest(SEARCHES["regressor"][0], X, Y, cv=3, n_jobs=n_jobs)
    pd.testing.assert_frame_equal(found.predictions, expected, check_exact=True)
