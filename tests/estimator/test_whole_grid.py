"""A grid search over every mechanism in every mode, on real data."""

import numpy as np
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.attention import ATTENTION_MECHANISMS
from sk_tsattn.datasets import load_gas_furnace


def test_a_search_over_all_mechanisms_and_modes_compares_them_on_the_gas_furnace():
    X, y = load_gas_furnace(return_X_y=True, as_frame=True)
    grid = [
        {"attention": [name], "attention_mode": list(modes)}
        for name, modes in ATTENTION_MECHANISMS.items()
    ]
    grid.append({"attention_mode": [None]})
    model = AttentionLSTMRegressor(lookback=8, hidden_size=16, max_epochs=8, random_state=0)
    search = GridSearchCV(model, grid, cv=TimeSeriesSplit(2), n_jobs=2, error_score="raise")
    search.fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert len(scores) == sum(map(len, ATTENTION_MECHANISMS.values())) + 1
    assert np.isfinite(scores).all()
    # No two of them are the same function under different names.
    assert len(np.unique(scores.round(9))) == len(scores)
