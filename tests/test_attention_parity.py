"""Each mechanism against a plain numpy transcription of its equations, weights set by hand."""

import numpy as np
import pytest
import torch

from sk_tsattn.attention import (
    BahdanauScore,
    DenseCellGate,
    DenseFeatureGate,
    DenseTimeGate,
    LuongScore,
    ScoreReadout,
)

B, T, F, H, UNITS = 3, 5, 4, 6, 7
TOLERANCE = {"rtol": 0, "atol": 1e-6}
rng = np.random.default_rng(0)
X = rng.normal(size=(B, T, F))
STATES = rng.normal(size=(B, T, H))


def softmax(logits, axis):
    exp = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return exp / exp.sum(axis=axis, keepdims=True)


def set_parameters(module, **values):
    """Set parameters by their dotted names, ``__`` for the dot; none may be left out."""
    values = {name.replace("__", "."): torch.as_tensor(value) for name, value in values.items()}
    module.double().load_state_dict(values)
    return module


def run(module, *arrays):
    with torch.no_grad():
        return [output.numpy() for output in module(*map(torch.as_tensor, arrays))]


def dense_time_weights(X, kernel, bias, shared):
    """``attention_3d_block`` over time, as Keras runs it (S1)."""
    a = X.transpose(0, 2, 1)  # Permute((2, 1)): (B, F, T)
    a = softmax(a @ kernel + bias, axis=2)  # Dense(TIME_STEPS, activation="softmax")
    if shared:
        a = a.mean(axis=1)  # K.mean(x, axis=1): (B, T)
        a = np.repeat(a[:, None, :], F, axis=1)  # RepeatVector(input_dim)
    return a.transpose(0, 2, 1)  # Permute((2, 1)): (B, T, F)


def dense_feature_weights(X, kernel, bias, shared):
    """``attention_3d_block`` over features (S3), with the repeat count right."""
    a = softmax(X @ kernel + bias, axis=2)  # Dense(input_dim, activation="softmax")
    if shared:
        a = np.repeat(a.mean(axis=1)[:, None, :], T, axis=1)  # RepeatVector(time_steps)
    return a


@pytest.mark.parametrize("shared", [False, True])
def test_dense_time_gate_is_the_keras_block(shared):
    kernel, bias = rng.normal(size=(T, T)), rng.normal(size=T)
    gate = DenseTimeGate(T, shared=shared, rescale=False)
    gated, weights = run(set_parameters(gate, score__weight=kernel.T, score__bias=bias), X)
    expected = dense_time_weights(X, kernel, bias, shared)
    np.testing.assert_allclose(weights, expected, **TOLERANCE)
    np.testing.assert_allclose(gated, X * expected, **TOLERANCE)


@pytest.mark.parametrize("shared", [False, True])
def test_dense_feature_gate_is_the_keras_block(shared):
    kernel, bias = rng.normal(size=(F, F)), rng.normal(size=F)
    gate = DenseFeatureGate(F, shared=shared, rescale=False)
    gated, weights = run(set_parameters(gate, score__weight=kernel.T, score__bias=bias), X)
    expected = dense_feature_weights(X, kernel, bias, shared)
    np.testing.assert_allclose(weights, expected, **TOLERANCE)
    np.testing.assert_allclose(gated, X * expected, **TOLERANCE)


@pytest.mark.parametrize("rescale", [False, True])
def test_dense_cell_gate_is_the_product_of_both(rescale):
    time_kernel, time_bias = rng.normal(size=(T, T)), rng.normal(size=T)
    feature_kernel, feature_bias = rng.normal(size=(F, F)), rng.normal(size=F)
    gate = set_parameters(
        DenseCellGate(T, F, rescale=rescale),
        time__score__weight=time_kernel.T,
        time__score__bias=time_bias,
        feature__score__weight=feature_kernel.T,
        feature__score__bias=feature_bias,
    )
    gated, weights = run(gate, X)
    expected = dense_time_weights(X, time_kernel, time_bias, shared=False)
    expected = expected * dense_feature_weights(X, feature_kernel, feature_bias, shared=False)
    np.testing.assert_allclose(weights, expected, **TOLERANCE)
    scale = T * F if rescale else 1
    np.testing.assert_allclose(gated, X * expected * scale, **TOLERANCE)


def readout(weights, combine_kernel):
    """The rest of ``Attention(units)`` (S2): context, concatenation, ``attention_vector``."""
    context = np.einsum("bt,bth->bh", weights, STATES)
    return np.tanh(np.concatenate([context, STATES[:, -1]], axis=1) @ combine_kernel)


@pytest.mark.parametrize("score", ["general", "dot"])
def test_luong_readout_is_the_keras_layer(score):
    kernel, combine_kernel = rng.normal(size=(H, H)), rng.normal(size=(2 * H, UNITS))
    values = {"combine__weight": combine_kernel.T}
    if score == "general":
        values["score__query__weight"] = kernel
    else:
        kernel = np.eye(H)
    module = ScoreReadout(LuongScore(H, H, score=score), H, units=UNITS)
    attended, weights = run(set_parameters(module, **values), STATES)
    h = STATES[:, -1]
    expected = softmax(np.einsum("bh,bth->bt", h, STATES @ kernel), axis=1)
    np.testing.assert_allclose(weights, expected, **TOLERANCE)
    np.testing.assert_allclose(attended, readout(expected, combine_kernel), **TOLERANCE)


def test_bahdanau_readout_is_the_keras_layer():
    W1, W2, v = rng.normal(size=(H, H)), rng.normal(size=(H, H)), rng.normal(size=(H, 1))
    combine_kernel = rng.normal(size=(2 * H, UNITS))
    module = set_parameters(
        ScoreReadout(BahdanauScore(H, H), H, units=UNITS),
        score__query__weight=W1.T,
        score__key__weight=W2.T,
        score__value__weight=v.T,
        combine__weight=combine_kernel.T,
    )
    attended, weights = run(module, STATES)
    h = STATES[:, -1]
    expected = softmax((np.tanh((h @ W1)[:, None, :] + STATES @ W2) @ v)[:, :, 0], axis=1)
    np.testing.assert_allclose(weights, expected, **TOLERANCE)
    np.testing.assert_allclose(attended, readout(expected, combine_kernel), **TOLERANCE)


def test_bahdanau_score_is_the_alignment_model():
    """Bahdanau et al. 2015, with a decoder state of another size as the query (S7)."""
    n, n_units = 3, 8
    W_a, U_a = rng.normal(size=(n_units, n)), rng.normal(size=(n_units, H))
    v_a, s = rng.normal(size=n_units), rng.normal(size=(B, n))
    score = BahdanauScore(H, n, score_size=n_units)
    set_parameters(score, query__weight=W_a, key__weight=U_a, value__weight=v_a[None])
    (weights,) = [score(torch.as_tensor(STATES), torch.as_tensor(s)).detach().numpy()]
    e = np.array(
        [[v_a @ np.tanh(W_a @ s[b] + U_a @ STATES[b, j]) for j in range(T)] for b in range(B)]
    )
    np.testing.assert_allclose(weights, softmax(e, axis=1), **TOLERANCE)
