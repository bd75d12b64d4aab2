"""Precision and compilation: what they change, and what they leave as it was."""

import copy
import functools
import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EpochScoring

from sk_tsattn import AttentionLSTMClassifier, AttentionLSTMRegressor
from sk_tsattn._training._precision import FLOAT64_CELLS, PRECISIONS, resolve_precision
from sk_tsattn.attention import ATTENTION_MECHANISMS

rng = np.random.default_rng(0)
X = rng.normal(size=(96, 6, 3))
Y = 2 * X[:, 3, 1] + X[:, 5, 0]
SHORT = np.where(np.arange(6)[:, None] < 2, np.nan, X)
EVERY_NETWORK = [(name, mode) for name, modes in ATTENTION_MECHANISMS.items() for mode in modes]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def quick(**changes):
    options = {"attention": "luong", "hidden_size": 8, "max_epochs": 6, "random_state": 0}
    return AttentionLSTMRegressor(**options | {"batch_size": 32} | changes)


@pytest.mark.parametrize(("attention", "mode"), [*EVERY_NETWORK, ("dense", None)])
def test_bf16_predicts_nearly_as_full_precision_with_every_mechanism(attention, mode):
    full, mixed = (
        quick(attention=attention, attention_mode=mode, precision=precision).fit(X, Y)
        for precision in ("float32", "bf16")
    )
    for data in (X, SHORT):
        expected, predicted = full.predict(data), mixed.predict(data)
        assert np.isfinite(predicted).all()
        assert np.abs(predicted - expected).mean() < 0.1 * Y.std()
        if mode is not None:
            for kind, weights in mixed.attention_weights(data).items():
                if not kind.startswith("gate"):
                    sums = weights.reshape(len(data), -1).sum(axis=1)
                    np.testing.assert_allclose(sums, 1.0, atol=1e-5)
    assert not np.array_equal(full.predict(X), mixed.predict(X))
    assert {p.dtype for p in mixed.net_.module_.parameters()} == {torch.float32}


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
def test_bf16_trains_with_every_loss(loss):
    full, mixed = (quick(loss=loss, precision=p).fit(X, Y).predict(X) for p in ("float32", "bf16"))
    np.testing.assert_allclose(mixed, full, atol=0.1 * Y.std())


def test_bf16_trains_a_classifier():
    options = {"attention": "luong", "hidden_size": 8, "max_epochs": 6, "random_state": 0}
    full, mixed = (
        AttentionLSTMClassifier(**options, precision=p).fit(X, Y > 0).predict_proba(X)
        for p in ("float32", "bf16")
    )
    np.testing.assert_allclose(mixed, full, atol=0.05)


class RecordTypes(Callback):
    """Record the types that a training step computes with."""

    def __init__(self):
        self.found = set()

    def on_grad_computed(self, net, named_parameters, **kwargs):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
        gradients = {p.grad.dtype for _, p in named_parameters}
        self.found.add((product.dtype, *gradients))

    def on_epoch_end(self, net, **kwargs):
        self.found.add((torch.ones(2, 2) @ torch.ones(2, 2)).dtype)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_steps_have_the_precision_and_gradients_that_of_the_weights(precision):
    model = quick(precision=precision, callbacks=[RecordTypes]).fit(X, Y)
    found = dict(model.net_.callbacks_)["RecordTypes"].found
    weights, products = PRECISIONS[precision]
    assert found == {(products or torch.float32, getattr(torch, weights)), torch.float32}


def test_metrics_of_training_can_be_recorded_in_bf16():
    scoring = EpochScoring("r2", on_train=True, name="train_r2", lower_is_better=False)
    model = quick(precision="bf16", callbacks=[scoring]).fit(X, Y)
    assert np.isfinite([row["train_r2"] for row in model.net_.history]).all()


class FailingStep(Callback):
    """Fail in a training step."""

    def on_grad_computed(self, net, **kwargs):
        raise RuntimeError("in a step")


def test_a_step_that_fails_leaves_torch_as_it_was():
    with pytest.raises(RuntimeError, match="in a step"):
        quick(precision="bf16", callbacks=[FailingStep]).fit(X, Y)
    assert not torch.is_autocast_enabled("cpu")


def test_precision_and_bits_are_kept_by_copies_and_pickles():
    model = quick(precision="bf16", warm_start=True).fit(X, Y)  # keeps the optimizer's state
    for kept in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(kept.predict(X), model.predict(X))
        again = kept.partial_fit(X, Y).predict(X)
        np.testing.assert_array_equal(again, copy.deepcopy(model).partial_fit(X, Y).predict(X))
    assert model.to_torch()(torch.tensor(X)).detach().numpy() == pytest.approx(model.predict(X))


def test_the_precision_of_a_fit_stays_in_later_ones_that_go_on():
    model = quick(precision="float32", warm_start=True).fit(X, Y)
    model.set_params(precision="float64").fit(X, Y)
    assert {p.dtype for p in model.net_.module_.parameters()} == {torch.float32}


def test_auto_is_double_precision_for_small_data_where_the_device_has_it():
    assert resolve_precision("auto", "cpu", FLOAT64_CELLS) == "float64"
    assert resolve_precision("auto", "cpu", FLOAT64_CELLS + 1) == "float32"
    assert resolve_precision("auto", "mps", 1) == "float32"
    with pytest.raises(ValueError, match=r"no double precision.*Got precision='float64'"):
        resolve_precision("float64", "mps", 1)


# torch's own while it traces, which it hides from users.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("attention", ["bottleneck", "dense"])
def test_compiled_steps_train_as_others_do(attention, monkeypatch):
    # Without the generation of code, which takes a minute.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    options = {"attention": attention, "max_epochs": 4, "precision": "float32"}
    expected, compiled = (
        quick(**options, compile=compiles).fit(X, Y).predict(X) for compiles in (False, True)
    )
    np.testing.assert_allclose(compiled, expected, rtol=1e-4, atol=1e-5)


def test_a_compiler_that_does_not_work_is_an_error_and_does_not_change_the_model(monkeypatch):
    def compile_nothing(function, **options):
        raise RuntimeError("no C++ compiler")

    model = quick().fit(X, Y)
    before = model.predict(X)
    monkeypatch.setattr(torch, "compile", compile_nothing)
    with pytest.raises(ValueError, match=r"Got compile=True.*no C\+\+ compiler.*compile=False"):
        model.set_params(compile=True).fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), before)
