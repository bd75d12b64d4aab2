"""
Where does attention mislead?
=============================

The default mechanism closes a gate on every cell that the forecast does not need. Its attention
therefore shows which cells the network uses. Seven cases with known truth show where this is less
than it seems, and what to do instead.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from sk_tsattn import AttentionDisplay, AttentionLSTMRegressor
from sk_tsattn.datasets import make_fixed_cells, make_switch
from sk_tsattn.inspection import permutation_importance, refit_agreement

N_TRAIN, N_TEST = 1500, 1000
N = N_TRAIN + N_TEST


def fit(X, y):
    """Fit the default to the training windows; a small batch size suits few windows."""
    model = AttentionLSTMRegressor(batch_size=32, max_epochs=40, random_state=0)
    return model.fit(X[:N_TRAIN], y[:N_TRAIN])


def report(quantity, value, note=""):
    print(f"{quantity:40s}{value:7.3f}   {note}".rstrip())


# %%
# 1. There is nothing to learn
# ----------------------------
# The target is noise. Attention sums to 1 all the same, even if no cell is used.

rng = np.random.default_rng(0)
X, y = rng.normal(size=(N, 12, 6)), rng.normal(size=N)
model = fit(X, y)
report("R2 on the test set", model.score(X[N_TRAIN:], y[N_TRAIN:]))
report("sum of the attention", model.attention_.sum())
report("largest attention of a cell", model.attention_.max(), f"uniform: {1 / 72:.3f}")
report("cells used, gates_.sum()", model.gates_.sum(), "of 72")

# %%
# *Instead:* read ``gates_.sum()`` and the R2 on new windows before the attention.

# %%
# 2. The pattern of the gates carries information
# -----------------------------------------------
# A switch, the last step of feature 0, selects which of two features determines the target. The
# gates depend on the switch. Their pattern reaches the forecast even if the gate of the switch is
# closed.

X, y, _ = make_switch(N, n_timesteps=12, n_features=6, random_state=0)
model = fit(X, y)
X_test, y_test = X[N_TRAIN:], y[N_TRAIN:]
weights = model.attention_weights(X_test)
is_on = X_test[:, -1, 0] > 0
accuracy = cross_val_score(LogisticRegression(), weights.gate.reshape(N_TEST, -1), is_on).mean()
permuted = X_test.copy()
permuted[:, -1, 0] = rng.permutation(permuted[:, -1, 0])
report("R2 on the test set", model.score(X_test, y_test))
report("R2 with the switch permuted", model.score(permuted, y_test))
report("gate of the switch", weights.gate[:, -1, 0].mean(), "0: its value is hidden")
report("accuracy of the switch from the gates", accuracy, f"by chance: {is_on.mean():.2f}")
report("gate sensitivity of the switch", weights.gate_sensitivity[:, -1, 0].mean())
report("attention on the switch", weights.cell[:, -1, 0].mean(), f"uniform: {1 / 72:.3f}")
AttentionDisplay.from_estimator(model)

# %%
# *Instead:* before you conclude that a cell with a closed gate has no effect, read
# ``gate_sensitivity_``, and compare with ``permutation_importance``, which covers the whole model.

# %%
# 3. Two features carry the same signal
# -------------------------------------
# The target is a cell of the driver; the copy is correlated with the driver (0.98) and has no
# influence on the target. We refit with four seeds.

X, y, _ = make_fixed_cells(
    N_TRAIN, n_timesteps=8, n_features=4, cells={(4, 0): 1.0}, noise=0.5, random_state=0
)
X[..., 1] = 0.98 * X[..., 0] + np.sqrt(1 - 0.98**2) * rng.normal(size=X.shape[:2])
refits = refit_agreement(
    AttentionLSTMRegressor(batch_size=32, max_epochs=40),
    X,
    y,
    n_refits=4,
    random_state=0,
    feature_names=["driver", "copy", "other", "another"],
)
print(refits.feature.round(2).to_string())
report("smallest sum of driver and copy", refits.feature[:2].sum().min())

# %%
# *Instead:* examine correlations, add up or drop copies, and report attention together with its
# variation over refits.

# %%
# 4. A feature that was constant in the training set
# --------------------------------------------------
# The network receives the training mean in place of a closed cell. Feature 1 hardly varies in the
# training set, but its level shifts in the test set, and the target with it.

X, y, _ = make_fixed_cells(
    N, n_timesteps=8, n_features=4, cells={(4, 0): 1.0}, noise=0.5, random_state=0
)
X[..., 1] = rng.normal(scale=0.1, size=X.shape[:2])
X[N_TRAIN:, :, 1] += 2.0
y = y + X[:, -1, 1]
model = fit(X, y)
X_train, X_test = X[:N_TRAIN], X[N_TRAIN:]
shift = (X_test.mean(axis=(0, 1)) - X_train.mean(axis=(0, 1))) / X_train.std(axis=(0, 1))
report("attention on feature 1 in training", model.feature_attention_[1])
report("its shift in the test set", shift[1], "training standard deviations")
report("shift of the target", y[N_TRAIN:].mean() - y[:N_TRAIN].mean())
report("shift of the prediction", model.predict(X_test).mean() - model.predict(X_train).mean())
report("R2 on the test set", model.score(X_test, y[N_TRAIN:]))

# %%
# *Instead:* compare the means of all features, the hidden ones included, with those of the training
# set, and refit if they leave its range.

# %%
# 5. A smooth series
# ------------------
# The target is step 6 of one strongly autocorrelated feature, plus noise. The other steps of the
# feature have no influence on the target, but each contains almost the same information as its
# neighbours.

X, y, _ = make_fixed_cells(
    N,
    n_timesteps=12,
    n_features=4,
    cells={(6, 0): 1.0},
    autocorrelation=0.99,
    noise=1.0,
    random_state=0,
)
model = fit(X, y)
report("R2 on the test set", model.score(X[N_TRAIN:], y[N_TRAIN:]), "noise allows 0.500")
report("attention on the feature", model.feature_attention_[0])
report("attention on step 6 of the feature", model.attention_[6, 0])
print("gates of the feature, oldest step first:", model.gates_[:, 0].round(1).tolist())

# %%
# *Instead:* interpret smooth series by feature and by blocks of steps
# (``permutation_importance``), not by single steps.

# %%
# 6. Interchangeable cells
# ------------------------
# Twelve cells are noisy measurements of one number, of which one is exact; the target is the number
# plus noise. Together the measurements are as good as the number itself, and the validation error
# cannot distinguish them. Interchangeable cells therefore receive similar attention.

X = rng.normal(size=(N, 12, 6))
number = rng.normal(size=N)
X[:, 4:8, :3] = number[:, None, None] + 0.5 * X[:, 4:8, :3]
X[:, 5, 0] = number
y = number + rng.normal(size=N)
model = fit(X, y)
report("R2 on the test set", model.score(X[N_TRAIN:], y[N_TRAIN:]), "noise allows 0.500")
report("cells used, gates_.sum()", model.gates_.sum(), "12 measure the number")
report("attention on these", model.attention_[4:8, :3].sum())
report("attention on the exact one", model.attention_[5, 0], f"if equal: {1 / 12:.3f}")

# %%
# *Instead:* read equal attention as "any of these would suffice", not as "all are needed".

# %%
# 7. Strong and weak causes
# -------------------------
# Three cells determine the target, with weights 1, 0.15 and 0.05; the noise has a standard
# deviation of 0.5. A gate is open or closed: attention shows what is used, not how much it
# matters.

X = rng.normal(size=(N, 12, 6))
cells = {(11, 0): 1.0, (5, 3): 0.15, (8, 1): 0.05}
y = sum(w * X[:, t, f] for (t, f), w in cells.items()) + 0.5 * rng.normal(size=N)
model = fit(X, y)
report("R2 on the test set", model.score(X[N_TRAIN:], y[N_TRAIN:]), "noise allows 0.804")
importance = permutation_importance(
    model, X[N_TRAIN:], y[N_TRAIN:], n_repeats=5, random_state=0
).importances_mean
for (t, f), weight in cells.items():
    note = f"R2 lost if permuted: {importance[f]:.3f}"
    report(f"attention on the cell of weight {weight}", model.attention_[t, f], note)

# %%
# *Instead:* measure the effect with ``permutation_importance``. A closed gate means "worth less
# than about 1 % of the error", not "without influence".

# %%
# What was learned
# ----------------
# A closed gate is a statement about this network, which does not receive what it hides. It is not a
# statement about the world.
#
# **When not to trust it.** Do not read attention if no gate is open (1). Do not read a closed gate
# as "no effect" where it may decide about other gates (2) or after the data have shifted (4). Do
# not use attention to separate copies (3), single steps of a smooth series (5), interchangeable
# measurements (6), or strong from weak causes (7).
