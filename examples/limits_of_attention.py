"""Where does the attention mislead, even that of gates which hide what they do not show?

The default mechanism closes a gate on every cell of the input that the forecast does not need, so
that what its attention does not show is hardly used. Seven cases with known truth in which that is
less than it seems, each with what to do about it. ``--case 2`` runs only the second.
"""

import argparse

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.datasets import make_fixed_cells, make_switch
from sk_tsattn.inspection import permutation_importance, refit_agreement

N_NEW = 1000


def new_model(max_epochs, random_state, **params):
    """Give the default: a gate on each cell. Batches are small so that few windows suffice."""
    return AttentionLSTMRegressor(
        batch_size=32, max_epochs=max_epochs, random_state=random_state, **params
    )


def split(n_samples, X, y):
    """Part what the model learns from and what is new to it."""
    return X[:n_samples], X[n_samples:], y[:n_samples], y[n_samples:]


def say(what, number, note=""):
    print(f"   {what:32s}{number:7.3f}{'   ' + note if note else ''}")


def case_1(n_samples, max_epochs, random_state):
    print("1. There is nothing to learn: y is noise.")
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_samples + N_NEW, 12, 6))
    X, X_new, y, y_new = split(n_samples, X, rng.normal(size=len(X)))
    model = new_model(max_epochs, random_state).fit(X, y)
    say("R2 on new windows", model.score(X_new, y_new))
    say("attention sums to", model.attention_.sum(), "as it always does")
    say("greatest share of a cell", model.attention_.max(), f"uniform: {1 / 72:.3f}")
    say("cells used, gates_.sum()", model.gates_.sum(), "of 72")
    print("   Attention sums to 1 even where nothing is used. Do: read gates_.sum() and the R2 on")
    print("   new windows before the attention; where no cell is open, there is none to read.\n")


def case_2(n_samples, max_epochs, random_state):
    print("2. The gates' own pattern tells something: a switch says which of two features counts.")
    X, y, _ = make_switch(
        n_samples + N_NEW, n_timesteps=12, n_features=6, random_state=random_state
    )
    X, X_new, y, y_new = split(n_samples, X, y)
    model = new_model(max_epochs, random_state).fit(X, y)
    weights = model.attention_weights(X_new)
    is_on = X_new[:, -1, 0] > 0
    gates = weights.gate.reshape(len(is_on), -1)
    guessed = cross_val_score(LogisticRegression(), gates, is_on).mean()
    rng = np.random.default_rng(random_state)
    shuffled = X_new.copy()
    shuffled[:, -1, 0] = rng.permutation(shuffled[:, -1, 0])
    say("R2 on new windows", model.score(X_new, y_new))
    say("R2, the switch shuffled", model.score(shuffled, y_new))
    say("gate of the switch", weights.gate[:, -1, 0].mean(), "0 hides its value from the LSTM")
    say(
        "switch guessed from the gates",
        guessed,
        f"by chance: {max(is_on.mean(), 1 - is_on.mean()):.3f}",
    )
    say(
        "its steering",
        weights.gate_sensitivity[:, -1, 0].mean(),
        "1: it opens or closes another gate",
    )
    say("attention on the switch", weights.cell[:, -1, 0].mean(), f"uniform: {1 / 72:.3f}")
    print("   What steers the gates reaches the forecast as their pattern, whatever its own gate.")
    print(
        "   gates_ does not show it; gate_sensitivity_ and the attention do, as 'decides about others'."
    )
    print(
        "   Do: take no closed gate for 'no part in it' before you have seen its gate_sensitivity_, and"
    )
    print("   hold both against permutation_importance, which sees the whole model.\n")


def case_3(n_samples, max_epochs, random_state):
    print("3. Two features say the same: y is made of the driver; the copy follows it (rho .98).")
    X, y, _ = make_fixed_cells(
        n_samples,
        n_timesteps=8,
        n_features=4,
        cells={(4, 0): 1.0},
        noise=0.5,
        random_state=random_state,
    )
    rng = np.random.default_rng(random_state)
    X[..., 1] = 0.98 * X[..., 0] + np.sqrt(1 - 0.98**2) * rng.normal(size=X.shape[:2])
    refits = refit_agreement(
        new_model(max_epochs, None),
        X,
        y,
        n_refits=4,
        random_state=random_state,
        feature_names=["driver", "copy", "other", "another"],
    )
    table = refits.feature.round(2)
    print("   " + table.to_string().replace("\n", "\n   "))
    say("the two together, at least", refits.feature[:2].sum().min())
    print("   The copy, which does nothing to y, takes a part of the attention that changes with")
    print("   the seed. Do: look at correlations, add up or drop copies, and give shares only with")
    print("   their spread over refits (refit_agreement).\n")


def case_4(n_samples, max_epochs, random_state):
    print("4. A closed cell reads as the feature's mean in training: 'level' stood still there.")
    X, y, _ = make_fixed_cells(
        n_samples + N_NEW,
        n_timesteps=8,
        n_features=4,
        cells={(4, 0): 1.0},
        noise=0.5,
        random_state=random_state,
    )
    rng = np.random.default_rng(random_state)
    X[..., 1] = rng.normal(scale=0.1, size=X.shape[:2])
    X[n_samples:, :, 1] += 2.0
    X, X_new, y, y_new = split(n_samples, X, y + X[:, -1, 1])
    model = new_model(max_epochs, random_state).fit(X, y)
    drift = (X_new.mean(axis=(0, 1)) - X.mean(axis=(0, 1))) / X.std(axis=(0, 1))
    say("attention on 'level' in training", model.feature_attention_[1])
    say("its shift in the new windows", drift[1], "training standard deviations")
    say("shift of y in the new windows", y_new.mean() - y.mean())
    say("shift of the prediction", model.predict(X_new).mean() - model.predict(X).mean())
    say("R2 on new windows", model.score(X_new, y_new))
    print("   What did not vary could not be learnt, and a closed gate keeps it out for good: no")
    print(
        "   error bar moves. Do: compare the features' means, the hidden ones' too, with those of"
    )
    print("   training, and refit when they leave its range.\n")


def case_5(n_samples, max_epochs, random_state):
    print("5. A smooth series: y is the mean of all 12 steps of one feature, and noise.")
    cells = {(t, 0): 1 / 12 for t in range(12)}
    X, y, _ = make_fixed_cells(
        n_samples + N_NEW,
        n_timesteps=12,
        n_features=4,
        cells=cells,
        autocorrelation=0.95,
        noise=1.0,
        random_state=random_state,
    )
    X, X_new, y, y_new = split(n_samples, X, y)
    model = new_model(max_epochs, random_state).fit(X, y)
    say("R2 on new windows", model.score(X_new, y_new), "at most 0.500, by the noise")
    say("cells used, gates_.sum()", model.gates_.sum(), "of 12 that drive y")
    say("steps with a gate below 0.1", (model.gates_[:, 0] < 0.1).sum(), "drive y as well")
    print(f"   gates of the feature, oldest step first: {model.gates_[:, 0].round(1).tolist()}")
    print("   A few steps tell what the ones between them are. 'Hidden' means 'not needed beside")
    print("   the others', not 'without influence'. Do: read smooth series by features and by")
    print("   stretches of time (permutation_importance with blocks), never step by step.\n")


def case_6(n_samples, max_epochs, random_state):
    print("6. Many readings of one number, which makes a noisy y; feature 0 is the number itself.")
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_samples + N_NEW, 12, 6))
    number = rng.normal(size=len(X))
    X[:, 4:8, :3] = number[:, None, None] + 0.5 * X[:, 4:8, :3]
    X[:, 5, 0] = number
    X, X_new, y, y_new = split(n_samples, X, number + rng.normal(size=len(X)))
    model = new_model(max_epochs, random_state).fit(X, y)
    say("R2 on new windows", model.score(X_new, y_new), "at most 0.500, by the noise")
    say("cells used, gates_.sum()", model.gates_.sum(), "of 12 that tell the number")
    say("attention on them", model.attention_[4:8, :3].sum())
    say("attention on the number itself", model.attention_[5, 0], f"of 12 alike: {1 / 12:.3f}")
    print("   Together the readings are as good as the number, and with noise the error cannot")
    print("   part them: where inputs can be exchanged, all share the attention, so that no seed")
    print(
        "   decides. Do: read equal shares as 'any of these would do', not as 'all are needed'.\n"
    )


def case_7(n_samples, max_epochs, random_state):
    print("7. Three cells drive y: by 1, by 0.15, and by 0.05, which is a tenth of the noise.")
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_samples + N_NEW, 12, 6))
    y = X[:, 11, 0] + 0.15 * X[:, 5, 3] + 0.05 * X[:, 8, 1] + 0.5 * rng.normal(size=len(X))
    X, X_new, y, y_new = split(n_samples, X, y)
    model = new_model(max_epochs, random_state).fit(X, y)
    say("R2 on new windows", model.score(X_new, y_new), "at most 0.804, by the noise")
    mattered = permutation_importance(
        model, X_new, y_new, n_repeats=5, random_state=random_state
    ).importances_mean
    for weight, t, f in ((1, 11, 0), (0.15, 5, 3), (0.05, 8, 1)):
        share = f"R2 lost where it is permuted: {mattered[f]:.3f}"
        say(f"attention on what drives by {weight}", model.attention_[t, f], share)
    print("   A gate is open or closed: attention says what is used, not how much it matters; and")
    print("   what lowers the error by about 1 % of it is closed: few validation windows cannot")
    print("   tell that from chance. Do: read how much from permutation_importance, and 'closed'")
    print("   as 'not worth 1 % of the error', not as 'without influence'.\n")


CASES = {1: case_1, 2: case_2, 3: case_3, 4: case_4, 5: case_5, 6: case_6, 7: case_7}


def main(case=None, n_samples=1500, max_epochs=40, random_state=0):
    for number in [case] if case else CASES:
        CASES[number](n_samples, max_epochs, random_state)
    print(
        "Learnt: a closed gate is a promise about this network, which does not see what it hides; "
        "it is none about\nthe world.\n"
        "Do not trust: attention where nothing is open (1), a closed gate that may steer others "
        "(2), attention to\ntell twins apart (3), readings from what is read (6) or what matters "
        "much from what matters little (7),\nonce the data drift (4), or step by step in a smooth "
        "series (5)."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", type=int, choices=CASES, help="only this case")
    parser.add_argument("--n-samples", type=int, default=1500, help="windows to learn from")
    parser.add_argument("--max-epochs", type=int, default=40, help="epochs of each fit")
    parser.add_argument("--random-state", type=int, default=0, help="seed of data and fits")
    main(**vars(parser.parse_args()))
