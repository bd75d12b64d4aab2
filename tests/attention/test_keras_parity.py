"""Each mechanism against a plain numpy transcription of its equations, weights set by hand."""

import numpy as np
import pytest
import torch

from sk_tsattn.attention import (
    IMVLSTM,
    RETAIN,
    BahdanauScore,
    DenseCellGate,
    DenseFeatureGate,
    DenseTimeGate,
    HANReadout,
    InputAttentionEncoder,
    LuongScore,
    ScoreReadout,
    SelfReadout,
    TemporalAttentionDecoder,
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


def test_han_readout_is_the_word_level_of_the_paper():
    """Yang et al. 2016, eq. 5 to 7 (S6)."""
    W, b, u_w = rng.normal(size=(UNITS, H)), rng.normal(size=UNITS), rng.normal(size=UNITS)
    module = HANReadout(H, score_size=UNITS)
    values = {"score__key__weight": W, "score__key__bias": b, "score__query__weight": u_w[None]}
    pooled, weights = run(set_parameters(module, **values), STATES)
    u = np.tanh(STATES @ W.T + b)
    alpha = softmax(u @ u_w, axis=1)
    np.testing.assert_allclose(weights, alpha, **TOLERANCE)
    np.testing.assert_allclose(pooled, (alpha[:, :, None] * STATES).sum(axis=1), **TOLERANCE)


def test_self_readout_is_keras_multi_head_attention_averaged():
    """Kernels as ``keras.layers.MultiHeadAttention`` has them (S8)."""
    N, d = 2, 3
    Q, K, V = (rng.normal(size=(H, N, d)) for _ in range(3))
    q, v = rng.normal(size=(N, d)), rng.normal(size=(N, d))
    W_o, b_o = rng.normal(size=(N, d, H)), rng.normal(size=H)
    module = set_parameters(
        SelfReadout(H, num_heads=N),
        attention__query__weight=Q.reshape(H, N * d).T,
        attention__query__bias=q.reshape(N * d),
        attention__key__weight=K.reshape(H, N * d).T,
        value__weight=V.reshape(H, N * d).T,
        value__bias=v.reshape(N * d),
        output__weight=W_o.reshape(N * d, H).T,
        output__bias=b_o,
    )
    pooled, weights = run(module, STATES)
    queries = np.einsum("bth,hnd->btnd", STATES, Q) + q
    keys, values = np.einsum("bth,hnd->btnd", STATES, K), np.einsum("bth,hnd->btnd", STATES, V) + v
    maps = softmax(np.einsum("bind,bjnd->bnij", queries, keys) / np.sqrt(d), axis=3)
    attended = np.einsum("bnij,bjnd,ndh->bih", maps, values, W_o) + b_o
    np.testing.assert_allclose(pooled, attended.mean(axis=1), **TOLERANCE)
    np.testing.assert_allclose(weights, maps.mean(axis=(1, 2)), **TOLERANCE)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(x, h, s, W, b):
    """One sample's LSTM step, gates i, f, g, o from ``W [x; h] + b``."""
    i, f, g, o = np.split(W @ np.concatenate([x, h]) + b, 4)
    s = sigmoid(f) * s + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(s), s


def test_input_attention_is_that_of_da_rnn():
    """Qin et al. 2017, eq. 3 to 11, sample by sample and feature by feature (S4)."""
    W_e, U_e, v_e = rng.normal(size=(T, 2 * H)), rng.normal(size=(T, T)), rng.normal(size=T)
    W, b = rng.normal(size=(4 * H, F + H)), rng.normal(size=4 * H)
    encoder = InputAttentionEncoder(T, F, hidden_size=H, rescale=False, position_embedding=False)
    set_parameters(
        encoder,
        state__weight=W_e,
        series__weight=U_e,
        value__weight=v_e[None],
        gates__weight=W,
        gates__bias=b,
    )
    states, weights = run(encoder, X)
    for n in range(B):
        h = s = np.zeros(H)
        for t in range(T):
            query = W_e @ np.concatenate([h, s])
            e = np.array([v_e @ np.tanh(query + U_e @ X[n, :, k]) for k in range(F)])  # eq. 8
            alpha = softmax(e, axis=0)  # eq. 9
            h, s = lstm_step(alpha * X[n, t], h, s, W, b)  # eq. 10, 11
            np.testing.assert_allclose(weights[n, t], alpha, **TOLERANCE)
            np.testing.assert_allclose(states[n, t], h, **TOLERANCE)


@pytest.mark.parametrize("with_history", [False, True])
def test_temporal_decoder_is_that_of_da_rnn(with_history):
    """Qin et al. 2017, eq. 12 to 22, sample by sample and state by state (S4)."""
    W_d, U_d, v_d = rng.normal(size=(H, 2 * H)), rng.normal(size=(H, H)), rng.normal(size=H)
    w_c, w_y, b_tilde = rng.normal(size=H), rng.normal(), rng.normal()
    W, b = rng.normal(size=(4 * H, 1 + H)), rng.normal(size=4 * H)
    W_y, b_w = rng.normal(size=(H, 2 * H)), rng.normal(size=H)
    v_y, b_v = rng.normal(size=(2, H)), rng.normal(size=2)
    y = rng.normal(size=(B, T)) if with_history else np.zeros((B, T))
    decoder = set_parameters(
        TemporalAttentionDecoder(H, 2, history=with_history),
        state__weight=W_d,
        key__weight=U_d,
        value__weight=v_d[None],
        combine__weight=np.append(w_c, w_y)[None] if with_history else w_c[None],
        combine__bias=[b_tilde],
        gates__weight=W,
        gates__bias=b,
        hidden__weight=W_y,
        hidden__bias=b_w,
        output__weight=v_y,
        output__bias=b_v,
    )
    prediction, weights = run(decoder, STATES, *([y] if with_history else []))
    for n in range(B):
        d = s = np.zeros(H)
        for t in range(T):
            query = W_d @ np.concatenate([d, s])
            scores = np.array([v_d @ np.tanh(query + U_d @ h) for h in STATES[n]])  # eq. 12
            beta = softmax(scores, axis=0)  # eq. 13
            context = beta @ STATES[n]  # eq. 14
            y_tilde = w_c @ context + w_y * y[n, t] + b_tilde  # eq. 15
            d, s = lstm_step(np.array([y_tilde]), d, s, W, b)  # eq. 16
        expected = v_y @ (W_y @ np.concatenate([d, context]) + b_w) + b_v  # eq. 22
        np.testing.assert_allclose(weights[n], beta, **TOLERANCE)
        np.testing.assert_allclose(prediction[n], expected, **TOLERANCE)


def test_imv_lstm_is_a_mixture_of_one_lstm_per_variable():
    """Guo et al. 2019, the tensor variant, sample by sample and variable by variable."""
    d = 3
    network = IMVLSTM(T, F, 1, variable_size=d, position_embedding=False).double()
    values = {name: value.numpy() for name, value in network.state_dict().items()}
    weight, bias = values["layers.0.weight"], values["layers.0.bias"][:, :, 0]
    f_n, f = values["time_score"][:, :, 0], values["variable_score"][:, 0]
    phi, phi_0 = values["mean_weight"][:, 0], values["mean_bias"][:, 0, 0]
    with torch.no_grad():
        prediction, weights = network.attend(torch.as_tensor(X))
    for n in range(B):
        alpha, summary = [], []
        for k in range(F):
            h, c, states = np.zeros(d), np.zeros(d), []
            for t in range(T):
                gates = weight[k] @ np.concatenate([X[n, t, [k]], h]) + bias[k]  # eq. 5, 1
                i, f_gate, o, j = np.split(gates, 4)
                c = sigmoid(f_gate) * c + sigmoid(i) * np.tanh(j)  # eq. 6
                h = sigmoid(o) * np.tanh(c)  # eq. 7
                states.append(h)
            alpha.append(softmax(np.array(states) @ f_n[k], axis=0))
            summary.append(np.concatenate([h, alpha[-1] @ np.array(states)]))
        beta = softmax(np.array(summary) @ f, axis=0)
        expected = sum(beta[k] * (phi[k] @ summary[k] + phi_0[k]) for k in range(F))
        np.testing.assert_allclose(prediction[n, 0], expected, **TOLERANCE)
        np.testing.assert_allclose(weights["cell"][n], np.array(alpha).T * beta, **TOLERANCE)


def gru_states(inputs, values, prefix):
    """One sample's states of a torch GRU, gates r, z, n."""
    W, U = values[f"{prefix}.weight_ih_l0"], values[f"{prefix}.weight_hh_l0"]
    b, c = values[f"{prefix}.bias_ih_l0"], values[f"{prefix}.bias_hh_l0"]
    h, states = np.zeros(len(U) // 3), []
    for x in inputs:
        own, past = np.split(W @ x + b, 3), np.split(U @ h + c, 3)
        r, z = sigmoid(own[0] + past[0]), sigmoid(own[1] + past[1])
        h = (1 - z) * np.tanh(own[2] + r * past[2]) + z * h
        states.append(h)
    return np.array(states)


def test_retain_equals_the_equations_of_the_paper():
    """Choi et al. 2016, steps 1 to 5, sample by sample, and the contribution of each cell."""
    network = RETAIN(T, F, 1, hidden_size=H, position_embedding=False).double()
    values = {name: value.numpy() for name, value in network.state_dict().items()}
    W_emb, w, W = values["embed.weight"], values["alpha.weight"][0], values["head.weight"][0]
    with torch.no_grad():
        prediction = network(torch.as_tensor(X)).numpy()
        contributions = network.contributions(torch.as_tensor(X)).numpy()
    for n in range(B):
        v = X[n] @ W_emb.T  # step 1
        g = gru_states(v[::-1], values, "alpha_rnn")[::-1]  # reverse time
        alpha = softmax(g @ w, axis=0)  # step 2
        h = gru_states(v[::-1], values, "beta_rnn")[::-1]
        beta = np.tanh(h @ values["beta.weight"].T + values["beta.bias"])  # step 3
        context = (alpha[:, None] * beta * v).sum(axis=0)  # step 4
        expected = W @ context + values["head.bias"][0]  # step 5
        np.testing.assert_allclose(prediction[n, 0], expected, **TOLERANCE)
        for t in range(T):
            for k in range(F):
                contribution = alpha[t] * (W @ (beta[t] * W_emb[:, k])) * X[n, t, k]
                np.testing.assert_allclose(contributions[n, t, k, 0], contribution, **TOLERANCE)
