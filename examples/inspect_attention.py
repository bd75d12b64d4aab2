"""Does the attention point at what drives the target?

Made windows whose driving cells are known, two tasks: in one, two features at one step in the
middle; in the other, the newest steps of two features, which others imitate. Holds the attention
of several mechanisms against the truth, beside permutation importance of the features.
"""

import argparse

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from sk_tsattn import AttentionDisplay, AttentionLSTMRegressor
from sk_tsattn.datasets import make_decoys, make_fixed_cells

TASKS = {"fixed cells": make_fixed_cells, "decoys": make_decoys}
MODELS = [
    ("time", "bahdanau"),
    ("feature", "bahdanau"),
    ("feature", "dense"),
    ("both", "bahdanau"),
    ("both", "luong"),
    ("both", "dense"),
]


def compare(relevance, is_driver):
    """Relative to chance, the share that goes to drivers; and how well it ranks them."""
    share = (relevance * is_driver).sum() / relevance.sum()
    return {
        "share": share,
        "chance": is_driver.mean(),
        "AUROC": roc_auc_score(is_driver.ravel(), relevance.ravel()),
    }


def permutation(model, X, y, rng):
    """Fall in R2 when a feature is shuffled among the samples."""
    score, falls = model.score(X, y), []
    for feature in range(X.shape[2]):
        shuffled = X.copy()
        shuffled[:, :, feature] = rng.permutation(shuffled[:, :, feature])
        falls.append(score - model.score(shuffled, y))
    return np.maximum(falls, 0)


def main(n_samples=2000, max_epochs=20, random_state=0, picture=None):
    rows, both = [], None
    for task, make in TASKS.items():
        X, y, drivers = make(n_samples, random_state=random_state)
        n_train = n_samples * 3 // 4
        X_test, y_test, drivers = X[n_train:], y[n_train:], drivers[n_train:]
        # A step, or a feature, is true where one of its cells drives the target.
        true = {"time": drivers.any(axis=2), "feature": drivers.any(axis=1), "cell": drivers}
        for mode, attention in MODELS:
            model = AttentionLSTMRegressor(
                attention_mode=mode,
                attention=attention,
                max_epochs=max_epochs,
                random_state=random_state,
            ).fit(X[:n_train], y[:n_train])
            about = {"task": task, "mode": mode, "by": attention, "R2": model.score(X_test, y_test)}
            for axes, weights in model.attention_weights(X_test).items():
                rows.append(about | {"what": axes} | compare(weights, true[axes]))
            falls = permutation(model, X_test, y_test, np.random.default_rng(random_state))
            rows.append(about | {"what": "permutation"} | compare(falls, drivers.any(axis=(0, 1))))
            if (task, mode, attention) == ("fixed cells", "both", "luong"):
                both = model
    table = pd.DataFrame(rows)

    print("share: of the attention that lies on true steps, features or cells; chance: if uniform")
    print("AUROC: how often a true one gets more than another one (1 always, 0.5 by chance)")
    for task, part in table.groupby("task", sort=False):
        print(f"\n{task}")
        print(part.drop(columns="task").round(2).to_string(index=False))

    if picture is not None:
        import matplotlib

        matplotlib.use("Agg")
        display = AttentionDisplay.from_estimator(both)
        display.figure_.savefig(picture, dpi=120)
        print(f"\nThe picture of 'both' by luong on the fixed cells is in {picture}")
    print(
        "\nLearnt: it depends. Attention over the states of the LSTM (luong, bahdanau) ranks the "
        "fixed step first and\ngives it most of its weight, since it is the shortest way there. "
        "Where the newest state knows everything\nanyway (decoys), it stays near uniform at a "
        "high R2. Scores of features by bahdanau are uniform even in good\nmodels; dense gates "
        "mostly rank the features right, with shares near uniform. Permutation of the features\n"
        "named the true ones in every model that predicts well.\n"
        "Do not trust: shares as sizes of effects, attention over states as a statement about the "
        "inputs of just that\nstep, or a high R2 as a warrant for the attention. Permutation too "
        "has its limits: it sees what this model\nuses, and splits the credit among features "
        "that imitate each other if the model uses several."
    )
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-samples", type=int, default=2000, help="windows of each task")
    parser.add_argument("--max-epochs", type=int, default=20, help="epochs of each fit")
    parser.add_argument("--random-state", type=int, default=0, help="seed of data and fits")
    parser.add_argument("--picture", default=None, help="where to write a picture, if anywhere")
    main(**vars(parser.parse_args()))
