"""
How few cells does a forecast need?
===================================

The default estimator finds out while it is trained: a penalty of open gates grows from one
candidate to the next, and the sparsest candidate whose validation loss is not significantly worse
than the best one is selected. Here the relevant cells are known: four of 72, the weakest of which
explains 2 % of the variance.
"""

import pandas as pd

from sk_tsattn import AttentionLSTMRegressor, LossCurveDisplay, PathDisplay
from sk_tsattn.datasets import make_fixed_cells

weights = {(2, 0): 1.0, (5, 1): -1.0, (7, 3): 0.5, (9, 2): 0.25}
X, y, _ = make_fixed_cells(
    n_samples=2000, n_timesteps=12, n_features=6, cells=weights, noise=0.5, random_state=0
)
X_train, X_test, y_train, y_test = X[:1000], X[1000:], y[:1000], y[1000:]
options = {"validation_fraction": 0.2, "max_epochs": 60, "random_state": 0}

# %%
# The path of penalties
# ---------------------
# A row of ``path_`` is a candidate: the network after some steps with this penalty. The irrelevant
# cells cost more than they are worth, and the loss falls while their gates close. Then the relevant
# gates close, the weakest first, and the loss rises.

model = AttentionLSTMRegressor(**options).fit(X_train, y_train)
PathDisplay.from_estimator(model)

# %%
# The dashed line is the lowest loss. A candidate whose band reaches it is not significantly worse:
# its loss differs by at most one standard error. The sparsest of these is selected.

print(model.path_[model.path_["selected"]].round(3).to_string(index=False))

# %%
# Which cells are open?
# ---------------------
# The selected candidate is trained further without penalty and without noise.


def open_gates(model):
    """Return the gates of the relevant cells, and the sum of all others."""
    gates = {f"weight {weight}": model.gates_[cell] for cell, weight in weights.items()}
    return pd.Series(gates | {"others": model.gates_.sum() - sum(gates.values())})


print(open_gates(model).round(2).to_string())
print(f"R2 {model.score(X_test, y_test):.3f}")

# %%
# Sparser attention
# -----------------
# ``tolerance`` is the relative increase of the validation loss that is accepted in exchange for
# sparser attention. 0.01 is the default.

sparse = AttentionLSTMRegressor(attention_params={"tolerance": 0.2}, **options)
sparse.fit(X_train, y_train)
print(open_gates(sparse).round(2).to_string())
print(f"R2 {sparse.score(X_test, y_test):.3f}")
PathDisplay.from_estimator(sparse)

# %%
# The stages of the training
# --------------------------
# The loss curve shows the same training by epochs. The column ``phase`` of ``history_`` names the
# stages.

LossCurveDisplay.from_estimator(model)

# %%
# What was learned
# ----------------
# The path shows what sparsity costs: little as long as irrelevant cells close, and the more the
# stronger the cells are that are left.
#
# **When not to trust it.** The band is that of one validation set, here of 200 windows: a cell that
# explains less than the band is closed, whether or not it is relevant. Candidates are not fits of
# their own: each starts from the one before it, and a gate that has closed seldom opens again.
