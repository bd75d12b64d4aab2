"""Divergence: a loss that is not finite is an error, one worse than the null model a warning."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from sk_tsattn import AttentionLSTMRegressor

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 5, 3))
Y = X[:, 2, 1] + 0.1 * rng.normal(size=120)
SGD = {"optimizer": torch.optim.SGD}


def quick(**changes):
    options = {"hidden_size": 4, "max_epochs": 5, "random_state": 0, "early_stopping": False}
    return AttentionLSTMRegressor(**options | changes)


class NanLoss(torch.nn.MSELoss):
    """A squared error that is nan after the first batches."""

    def __init__(self, first=0, **options):
        super().__init__(**options)
        self.n_finite = first

    def forward(self, prediction, target):
        self.n_finite -= torch.is_grad_enabled()
        return super().forward(prediction, target) * (1 if self.n_finite >= 0 else float("nan"))


@pytest.mark.parametrize("attention", ["bottleneck", "luong"])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_loss_that_is_not_finite_is_an_error_with_epoch_and_learning_rate(
    attention, early_stopping
):
    model = quick(attention=attention, early_stopping=early_stopping, batch_size=200, lr=0.01)
    model.fit(X, Y)
    before = model.predict(X)
    model.set_params(net_params={"criterion": NanLoss, "criterion__first": 3}, lr=0.02)
    with pytest.raises(ValueError, match=r"loss is nan in epoch 4, with lr=0\.0\d+\. .*lower lr"):
        model.fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), before)


def test_a_learning_rate_that_is_too_high_is_an_error():
    with pytest.raises(ValueError, match=r"(nan|inf) in epoch \d+, with lr=1e\+200"):
        quick(attention="luong", net_params=SGD, lr=1e200).fit(X, Y)


@pytest.mark.parametrize("validated", [True, False])
def test_a_fit_worse_than_the_null_model_warns_with_both_losses(validated):
    model = quick(attention="luong", net_params=SGD, lr=20.0, batch_size=20)
    options = {"X_val": X[90:], "y_val": Y[90:]} if validated else {}
    kind = "validation" if validated else "training"
    with pytest.warns(ConvergenceWarning, match=rf"{kind} set is [\d.e+]+ instead of [\d.]+"):
        model.fit(X[:90], Y[:90], **options)
    assert model.score(X, Y) < 0


def test_the_null_model_predicts_the_training_mean_without_standardize_too():
    model = quick(attention="luong", standardize=False, lr=1e-12)
    with pytest.warns(ConvergenceWarning, match="worse than a constant prediction"):
        model.fit(X, 5 + Y)  # the untrained network predicts about 0


@pytest.mark.parametrize("early_stopping", [True, False])
def test_an_unpredictable_target_does_not_warn(early_stopping):
    noise = np.random.default_rng(1).normal(size=len(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AttentionLSTMRegressor(
            hidden_size=8, max_epochs=30, early_stopping=early_stopping, random_state=0
        ).fit(X, noise)


def test_one_epoch_of_partial_fit_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(attention="luong", standardize=False, lr=1e-12).partial_fit(X, 5 + Y)
