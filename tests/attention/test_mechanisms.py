"""Properties of single mechanisms, and of the registry of all."""

import pytest
import torch

import sk_tsattn.attention as attention_package
from sk_tsattn.attention import (
    ATTENTION_MECHANISMS,
    ATTENTION_MODES,
    DARNN,
    IMVLSTM,
    RETAIN,
    BahdanauScore,
    DenseCellGate,
    DenseFeatureGate,
    DenseTimeGate,
    HANScore,
    InputAttentionEncoder,
    LuongScore,
    ScoreFeatureGate,
    SelfAttention,
    SelfReadout,
    StackedFeatureGate,
    TemporalAttentionDecoder,
    WindowLSTM,
    attention_options,
)
from sk_tsattn.attention._network import build_network

B, T, F, H = 5, 6, 4, 8
CLASSES = sorted(
    {
        cls
        for modes in ATTENTION_MECHANISMS.values()
        for places in modes.values()
        for cls in places.values()
    },
    key=lambda cls: cls.__name__,
)
SCORES = {
    "general": lambda: LuongScore(H, 3),
    "bahdanau": lambda: BahdanauScore(H, 3),
    "han": lambda: HANScore(H),
}


def randomised(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.5)
    return module.double().eval()


def windows(n=B):
    return torch.randn(n, T, F, dtype=torch.float64)


def changed_from(X, step):
    """Return the same windows up to a step, and others from there on."""
    return torch.cat([X[:, :step], torch.randn_like(X[:, step:])], dim=1)


# The registry


def test_every_registry_entry_has_known_modes_and_places():
    places = {"gate", "feature_score", "readout", "time_score", "network"}
    for modes in ATTENTION_MECHANISMS.values():
        assert modes
        assert set(modes) <= set(ATTENTION_MODES)
        assert all(set(mode) <= places for mode in modes.values())


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_mechanism_is_public_and_cites_its_source(cls):
    assert cls.__name__ in attention_package.__all__
    for section in ("**Shape**", "**Source**", "Examples\n"):
        assert section in cls.__doc__


@pytest.mark.parametrize(
    ("attention", "params"),
    [
        ("bottleneck", {"tolerance": 0.0}),
        ("dense", {"shared": True}),
        ("dense", {"rescale": False}),
        ("luong", {"score": "dot", "query": "mean"}),
        ("luong", {"units": 3}),
        ("bahdanau", {"score_size": 3, "query": "mean"}),
        ("han", {"score_size": 3}),
        ("darnn", {"target_feature": 1, "rescale": False, "score_size": 3}),
        ("stacked", {"score": "dot"}),
        ("self", {"num_heads": 3, "token_size": 5}),
        ("imv", {"variant": "full", "variable_size": 3}),
    ],
)
def test_options_reach_the_mechanism_in_every_mode(attention, params):
    assert set(params) <= set(attention_options(attention))
    for mode in ATTENTION_MECHANISMS[attention]:
        network = build_network(
            attention=attention,
            attention_mode=mode,
            n_timesteps=T,
            n_features=F,
            n_outputs=1,
            attention_params=params,
        )
        prediction, weights = network.double().attend(windows())
        assert prediction.shape == (B, 1)
        for weight in (w for key, w in weights.items() if key not in ("gate", "gate_sensitivity")):
            torch.testing.assert_close(weight.flatten(1).sum(1), torch.ones(B).double())


# Scores


@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
def test_scores_are_equivariant_to_permutations_of_the_items(score):
    score, order = randomised(score()), torch.randperm(T)
    keys = torch.randn(B, T, H, dtype=torch.float64)
    query = torch.randn(B, 3, dtype=torch.float64)
    weights = score(keys, query)
    torch.testing.assert_close(weights.sum(1), torch.ones(B).double())
    torch.testing.assert_close(score(keys[:, order], query), weights[:, order])


@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
def test_scores_distribute_the_weight_of_a_masked_item_over_the_others(score):
    score, keys = randomised(score()), torch.randn(B, T, H, dtype=torch.float64)
    query = torch.randn(B, 3, dtype=torch.float64)
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[:, 2] = False
    weights, masked = score(keys, query), score(keys, query, mask)
    assert (masked[:, 2] == 0).all()
    expected = weights * mask
    torch.testing.assert_close(masked, expected / expected.sum(1, keepdim=True))


def test_dot_needs_keys_and_query_of_one_size():
    with pytest.raises(ValueError, match=r"Got keys of 6 and a query of 4 values.*query='mean'"):
        LuongScore(6, 4, score="dot")
    with pytest.raises(ValueError, match=r"score must be 'general' or 'dot'. Got 'cosine'"):
        LuongScore(6, 6, score="cosine")
    with pytest.raises(ValueError, match=r"query must be 'newest' or 'mean'. Got 'oldest'"):
        ScoreFeatureGate(LuongScore(6, 4), query="oldest")


# Dense gates


@pytest.mark.parametrize("shared", [False, True])
def test_dense_weights_sum_to_one_over_their_own_axis(shared):
    X = windows()
    time = randomised(DenseTimeGate(T, shared=shared))(X)[1]
    feature = randomised(DenseFeatureGate(F, shared=shared))(X)[1]
    torch.testing.assert_close(time.sum(1), torch.ones(B, F).double())
    torch.testing.assert_close(feature.sum(2), torch.ones(B, T).double())
    assert (time.std(dim=2).max() < 1e-12) == shared
    assert (feature.std(dim=1).max() < 1e-12) == shared


def test_dense_time_weights_of_a_feature_depend_on_that_feature_alone():
    gate, X = randomised(DenseTimeGate(T)), windows()
    other = X.clone()
    other[:, :, 1:] = torch.randn_like(other[:, :, 1:])
    torch.testing.assert_close(gate(other)[1][:, :, 0], gate(X)[1][:, :, 0])


def test_dense_feature_weights_of_a_step_depend_on_that_step_alone():
    gate, X = randomised(DenseFeatureGate(F)), windows()
    other = torch.randn_like(X)
    other[:, 2] = X[:, 2]
    torch.testing.assert_close(gate(other)[1][:, 2], gate(X)[1][:, 2])


def test_the_product_of_both_gates_is_no_distribution_until_it_is_divided():
    totals = randomised(DenseCellGate(T, F))(windows())[1].sum((1, 2))
    assert (totals - 1).abs().max() > 1e-2
    assert (totals <= min(T, F)).all()


# Causality, where the equations have it


def test_states_do_not_depend_on_later_steps():
    encoder, X = randomised(WindowLSTM(T, F, hidden_size=H)), windows()
    torch.testing.assert_close(encoder(changed_from(X, 3))[:, :3], encoder(X)[:, :3])


def test_stacked_weights_do_not_depend_on_later_steps():
    gate, X = randomised(StackedFeatureGate(T, F, hidden_size=H)), windows()
    torch.testing.assert_close(gate(changed_from(X, 3))[1][:, :3], gate(X)[1][:, :3])
    assert not torch.allclose(gate(changed_from(X, 3))[1][:, 3:], gate(X)[1][:, 3:])


def test_coefficients_of_retain_do_not_depend_on_earlier_steps():
    network, X = randomised(RETAIN(T, F, 1, attention_mode="feature", hidden_size=H)), windows()
    other = torch.cat([torch.randn_like(X[:, :3]), X[:, 3:]], dim=1)
    torch.testing.assert_close(network.contributions(other)[:, 3:], network.contributions(X)[:, 3:])


# DA-RNN


def test_input_attention_varies_from_step_to_step_of_a_window():
    """Without the tanh it cannot: the term of the state is equal for all features and cancels."""
    encoder = InputAttentionEncoder(T, F, hidden_size=H).double()  # as it is initialised
    _, weights = encoder(3 * windows())
    assert weights.std(dim=1).mean() > 1e-3


def test_input_attention_depends_on_the_state():
    encoder = InputAttentionEncoder(T, F, hidden_size=H).double()
    states, _ = encoder(windows(32))
    states[:, -1].pow(2).sum().backward()
    state, series = encoder.state.weight.grad, encoder.series.weight.grad
    assert state.abs().mean() > 1e-3 * series.abs().mean() > 0


def test_the_decoder_depends_on_the_history_of_the_target():
    decoder = randomised(TemporalAttentionDecoder(H, 1, history=True))
    states = torch.randn(B, T, H, dtype=torch.float64)
    history = torch.randn(B, T, dtype=torch.float64, requires_grad=True)
    decoder(states, history)[0].sum().backward()
    assert (history.grad.abs() > 1e-8).all()


def test_target_feature_must_be_a_feature():
    with pytest.raises(ValueError, match=r"one of the 4 features, 0 to 3, or None. Got 4"):
        DARNN(T, F, 1, target_feature=4)


# Self-attention


def test_attention_received_weighs_the_mean_of_the_attended_values():
    readout = randomised(SelfReadout(H, num_heads=2))
    states = torch.randn(B, T, H, dtype=torch.float64)
    maps = readout.attention(states)  # (B, N, T, T)
    values = readout.value(states).view(B, T, 2, -1)
    attended = torch.einsum("bnij,bjnd->bind", maps, values).flatten(2)  # A V
    torch.testing.assert_close(readout(states)[0], readout.output(attended).mean(dim=1))


def test_the_attention_of_each_token_sums_to_1():
    maps = randomised(SelfAttention(H, num_heads=3))(torch.randn(B, T, H, dtype=torch.float64))
    assert maps.shape == (B, 3, T, T)
    torch.testing.assert_close(maps.sum(dim=3), torch.ones(B, 3, T).double())


# RETAIN


@pytest.mark.parametrize("mode", ATTENTION_MODES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_retain_contributions_are_exact(mode, dtype):
    network = randomised(RETAIN(T, F, 2, attention_mode=mode, hidden_size=H)).to(dtype)
    X, mask = windows().to(dtype), torch.arange(T)[None, :] >= torch.arange(B)[:, None]
    for observed in (None, mask):
        contributions = network.contributions(X, observed)
        assert contributions.shape == (B, T, F, 2)
        total = contributions.sum((1, 2)) + network.head.bias
        tolerance = 1e-5 if dtype == torch.float32 else 1e-12
        torch.testing.assert_close(total, network(X, observed), rtol=0, atol=tolerance)
    assert (network.contributions(X, mask)[~mask] == 0).all()


def test_retain_attends_uniformly_if_all_contributions_are_0():
    network = randomised(RETAIN(T, F, 1, hidden_size=H))
    _, weights = network.attend(torch.zeros(B, T, F, dtype=torch.float64))
    uniform = torch.full((B, T, F), 1 / (T * F), dtype=torch.float64)
    torch.testing.assert_close(weights["cell"], uniform)


# IMV-LSTM


def alpha_of(network, X):
    """Return the attention over time of every variable, from cells β_n α_t^n."""
    cell = network.attend(X)[1]["cell"]
    return cell / cell.sum(dim=1, keepdim=True)


@pytest.mark.parametrize(("variant", "apart"), [("tensor", True), ("full", False)])
def test_only_the_tensor_variant_keeps_variables_apart(variant, apart):
    network, X = randomised(IMVLSTM(T, F, 1, variant=variant)), windows()
    other = X.clone()
    other[:, :, 1:] = torch.randn_like(other[:, :, 1:])
    same = torch.allclose(alpha_of(network, other)[:, :, 0], alpha_of(network, X)[:, :, 0])
    assert same == apart


def test_imv_attention_can_be_sharp():
    """Scores that pass through a tanh keep every ratio of weights below e² = 7.39."""
    network = randomised(IMVLSTM(T, F, 1))
    with torch.no_grad():
        network.time_score.mul_(100)
        network.variable_score.mul_(100)
    alpha = alpha_of(network, windows())
    assert alpha.max() > 0.99
    assert network.attend(windows())[1]["feature"].max() > 0.99


def test_imv_variant_must_be_known():
    with pytest.raises(ValueError, match=r"variant must be 'tensor' or 'full'. Got 'half'"):
        IMVLSTM(T, F, 1, variant="half")
