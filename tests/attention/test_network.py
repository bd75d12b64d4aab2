"""The contract of every network, for all mechanisms and modes of the registry."""

import copy

import pytest
import torch

from sk_tsattn.attention import ATTENTION_MECHANISMS, ATTENTION_MODES, attention_options
from sk_tsattn.attention._kinds import ATTENTION_KINDS, GATE_ATTRIBUTES
from sk_tsattn.attention._network import AttentionLSTM, build_network
from sk_tsattn.attention._padding import FEW_ITEMS, masked_softmax
from sk_tsattn.attention._registry import TRAINING_OPTIONS

B, T, F, N_OUTPUTS = 5, 6, 4, 2
PAIRS = [(name, mode) for name, modes in ATTENTION_MECHANISMS.items() for mode in modes]
PAIRS_AND_NONE = [("dense", None), *PAIRS]
every_network = pytest.mark.parametrize(("attention", "mode"), PAIRS_AND_NONE)
every_mechanism = pytest.mark.parametrize(("attention", "mode"), PAIRS)


def network_of(attention, mode, *, random=True, dtype=torch.float64, **changes):
    arguments = {"n_timesteps": T, "n_features": F, "n_outputs": N_OUTPUTS, "hidden_size": 8}
    arguments |= changes
    network = build_network(attention=attention, attention_mode=mode, **arguments).to(dtype)
    if random:  # dense gates are uniform at first
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.normal_(std=0.5)
    return network.eval()


def windows(n=B, T=T, F=F, dtype=torch.float64):
    return torch.randn(n, T, F, dtype=dtype)


def left_padding(n=B, T=T):
    """Sample i lacks its i oldest steps; the newest is always observed."""
    n_padded = torch.arange(n).clamp(max=T - 1)
    return torch.arange(T)[None, :] >= n_padded[:, None]


def in_training(network, X, mask=None):
    """Predict in training mode, where gates with an L0 penalty return it too."""
    out = network.train()(X, mask)
    return out[0] if isinstance(out, tuple) else out


def check_attention(weights, mode, n=B, T=T, F=F, tol=1e-6):
    shapes = {"time": (n, T), "feature": (n, F), "cell": (n, T, F)}
    gates = [weights[kind] for kind in GATE_ATTRIBUTES if kind in weights]
    weights = {kind: weight for kind, weight in weights.items() if kind not in GATE_ATTRIBUTES}
    assert set(weights) == {kind for kind, (_, modes) in ATTENTION_KINDS.items() if mode in modes}
    for gate in gates:  # values in [0, 1], not distributions
        assert gate.shape == shapes["cell" if mode == "both" else mode]
        assert (gate >= 0).all()
        assert (gate <= 1).all()
    for key, weight in weights.items():
        assert weight.shape == shapes[key]
        assert (weight >= 0).all()
        total = weight.flatten(1).sum(dim=1)
        torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=tol)
    if mode == "both":
        close = {"rtol": 0, "atol": tol}
        torch.testing.assert_close(weights["cell"].sum(2), weights["time"], **close)
        torch.testing.assert_close(weights["cell"].sum(1), weights["feature"], **close)


@every_network
def test_prediction_and_weights_have_the_documented_shapes(attention, mode):
    network, X = network_of(attention, mode), windows()
    prediction, weights = network.attend(X)
    assert prediction.shape == (B, N_OUTPUTS)
    torch.testing.assert_close(network(X), prediction)
    check_attention(weights, mode)


@every_network
@pytest.mark.parametrize("shape", [(1, T, F), (B, 1, F), (B, T, 1), (B, 4, 4), (1, 1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_smallest_and_square_windows_work(attention, mode, shape, dtype):
    n, T, F = shape
    network = network_of(attention, mode, n_timesteps=T, n_features=F, dtype=dtype)
    prediction, weights = network.attend(windows(n, T, F, dtype))
    assert prediction.shape == (n, N_OUTPUTS)
    assert prediction.dtype == dtype
    check_attention(weights, mode, n, T, F)


@every_network
@pytest.mark.parametrize("changes", [{"num_layers": 2, "dropout": 0.5}, {"num_layers": 3}])
def test_layers_and_dropout_have_an_effect(attention, mode, changes):
    network, X = network_of(attention, mode, **changes), windows()
    torch.testing.assert_close(network(X), network(X))
    more = sum(p.numel() for p in network.parameters())
    assert more > sum(p.numel() for p in network_of(attention, mode).parameters())
    if "dropout" in changes:
        assert not torch.allclose(in_training(network, X), in_training(network, X))


@every_network
def test_position_embedding_is_optional(attention, mode):
    def n_parameters(**changes):
        return sum(p.numel() for p in network_of(attention, mode, **changes).parameters())

    assert n_parameters(position_embedding=False) < n_parameters()
    _, weights = network_of(attention, mode, position_embedding=False).attend(windows())
    check_attention(weights, mode)


@every_network
def test_a_mask_of_all_true_changes_nothing(attention, mode):
    network, X = network_of(attention, mode), windows()
    prediction, weights = network.attend(X)
    masked_prediction, masked_weights = network.attend(X, torch.ones(B, T, dtype=torch.bool))
    torch.testing.assert_close(masked_prediction, prediction)
    torch.testing.assert_close(masked_weights, weights)


@every_network
@pytest.mark.parametrize("padding", [1e3, float("nan"), float("inf")])
def test_padding_has_no_weight_and_no_influence(attention, mode, padding):
    network, X, mask = network_of(attention, mode), windows(), left_padding()
    prediction, weights = network.attend(X, mask)
    other = X.masked_fill(~mask[:, :, None], padding)
    other_prediction, other_weights = network.attend(other, mask)
    torch.testing.assert_close(other_prediction, prediction, rtol=0, atol=0)
    torch.testing.assert_close(other_weights, weights, rtol=0, atol=0)
    check_attention(weights, mode)
    if "time" in weights:
        assert (weights["time"][~mask] == 0).all()
    if "cell" in weights:
        assert (weights["cell"][~mask] == 0).all()


def trimmed(state, shapes):
    """Return the newest entries of every parameter that has a time axis."""
    for name, shape in shapes.items():
        for axis, size in enumerate(shape):
            state[name] = state[name].narrow(axis, state[name].shape[axis] - size, size)
    return state


@every_network
def test_a_padded_window_is_the_short_window(attention, mode):
    """Cut to the newest steps, the same parameters predict the same from unpadded windows."""
    L = 4
    # Alignment spaces of the size of the window would be cut with it, so their size is fixed here.
    options = attention_options(attention)
    fixed = {"score_size": 5} if "score_size" in options else {}
    network = network_of(attention, mode, attention_params=fixed)
    short = network_of(attention, mode, n_timesteps=L, attention_params=fixed)
    shapes = {name: value.shape for name, value in short.state_dict().items()}
    short.load_state_dict(trimmed(network.state_dict(), shapes))
    X = windows()
    mask = (torch.arange(T) >= T - L).expand(B, T)
    prediction, weights = network.attend(X, mask)
    short_prediction, short_weights = short.attend(X[:, -L:])
    torch.testing.assert_close(prediction, short_prediction)
    for key, weight in weights.items():
        newest = weight if key == "feature" else weight[:, -L:]
        torch.testing.assert_close(newest, short_weights[key])


@every_network
def test_samples_do_not_influence_each_other(attention, mode):
    network, X, mask = network_of(attention, mode), windows(), left_padding()
    prediction, weights = network.attend(X, mask)
    order = torch.randperm(B)
    permuted_prediction, permuted_weights = network.attend(X[order], mask[order])
    torch.testing.assert_close(permuted_prediction, prediction[order])
    torch.testing.assert_close(permuted_weights, {k: w[order] for k, w in weights.items()})
    alone, _ = network.attend(X[2:3], mask[2:3])
    torch.testing.assert_close(alone, prediction[2:3])


@every_network
def test_gradients_reach_every_parameter(attention, mode):
    network = network_of(attention, mode)
    X = windows(32)
    ((in_training(network, X) - torch.randn(32, N_OUTPUTS)) ** 2).mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-7, name
        assert parameter.grad.isfinite().all(), name


@every_network
def test_gradients_stay_finite_with_padding(attention, mode):
    network, mask = network_of(attention, mode), left_padding()
    X = windows().masked_fill(~mask[:, :, None], float("nan"))
    network(X, mask).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@every_mechanism
def test_training_can_move_the_weights_from_the_start(attention, mode):
    network = network_of(attention, mode, random=False)
    X, y = windows(64), torch.randn(64, N_OUTPUTS, dtype=torch.float64)
    before = network.attend(X)[1]
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        ((network(X) - y) ** 2).mean().backward()
        optimizer.step()
    after = network.attend(X)[1]
    assert all((after[key] - before[key]).abs().max() > 1e-5 for key in before)


@every_mechanism
def test_weights_vary_with_the_input(attention, mode):
    _, weights = network_of(attention, mode).attend(windows(100))
    for weight in weights.values():
        assert weight.std(dim=0).max() > 1e-4


@every_mechanism
def test_a_network_of_zeros_attends_uniformly(attention, mode):
    network, mask = network_of(attention, mode), left_padding()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    _, weights = network.attend(windows(), mask)
    n_observed = mask.sum(1, keepdim=True)
    uniform = {"time": mask / n_observed, "feature": torch.full((B, F), 1 / F)}
    for key in {"time", "feature"} & set(weights):
        torch.testing.assert_close(weights[key], uniform[key].double())


@pytest.mark.parametrize(
    ("attention", "mode"),
    [
        (name, mode)
        for name, modes in ATTENTION_MECHANISMS.items()
        for mode, places in modes.items()
        if {"gate", "feature_score"} & set(places)
    ],
)
def test_untrained_gates_do_not_change_the_input(attention, mode):
    network = network_of(attention, mode, random=False)
    X, mask = windows(), left_padding()
    torch.testing.assert_close(network.gate(X)[0], X)
    X = X.masked_fill(~mask[:, :, None], 0)
    torch.testing.assert_close(network.gate(X, mask)[0], X)


# A warning of torch for every nn.LSTM, whose list of its own weights is not a buffer.
@pytest.mark.filterwarnings("ignore:The tensor attributes self.*_flat_weights:UserWarning")
@every_network
def test_an_exported_network_has_the_same_prediction(attention, mode):
    network, X = network_of(attention, mode, dtype=torch.float32), windows(dtype=torch.float32)
    samples = torch.export.Dim("samples")
    exported = torch.export.export(network, (X,), dynamic_shapes=({0: samples},), strict=False)
    for n in (B, 3):
        torch.testing.assert_close(exported.module()(X[:n]), network(X[:n]), rtol=0, atol=1e-6)


@every_network
def test_a_loaded_state_dict_has_the_same_prediction(attention, mode):
    network, other, X = network_of(attention, mode), network_of(attention, mode), windows()
    other.load_state_dict(network.state_dict())
    torch.testing.assert_close(other(X), network(X), rtol=0, atol=0)
    torch.testing.assert_close(copy.deepcopy(network)(X), network(X), rtol=0, atol=0)


def test_without_a_mode_the_network_is_the_plain_lstm():
    network, X = network_of("dense", None), windows()
    assert isinstance(network, AttentionLSTM)
    states, _ = network.encoder.lstm(network.encoder.position(X))
    torch.testing.assert_close(network(X), network.head(states[:, -1]))
    assert network.attend(X)[1] == {}


def test_unknown_mechanism_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"must be one of \['bottleneck', 'dense'.*Got 'lstm'"):
        network_of("lstm", "time")


def test_unknown_mode_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'time', 'feature', 'both'\] or None.*Got 'spatial'"):
        network_of("dense", "spatial")


@pytest.mark.parametrize(
    ("attention", "mode"),
    [
        (name, mode)
        for name in ATTENTION_MECHANISMS
        for mode in ATTENTION_MODES
        if (name, mode) not in PAIRS
    ]
    or [pytest.param(None, None, marks=pytest.mark.skip(reason="every pair is supported"))],
)
def test_unsupported_pair_lists_the_supported_ones(attention, mode):
    message = f"attention='{attention}' is not defined for attention_mode='{mode}'. Supported"
    with pytest.raises(ValueError, match=message) as error:
        network_of(attention, mode)
    assert "'dense' in 'time', 'feature', 'both'" in str(error.value)


@pytest.mark.parametrize("attention", ATTENTION_MECHANISMS)
def test_unknown_option_lists_the_options_of_the_mechanism(attention):
    mode = next(iter(ATTENTION_MECHANISMS[attention]))
    with pytest.raises(ValueError, match=r"may have the keys .* Got \['colour'\]") as error:
        network_of(attention, mode, attention_params={"colour": 1})
    assert str(attention_options(attention)) in str(error.value)


@pytest.mark.parametrize(
    ("attention", "option"),
    [(attention, option) for attention, options in TRAINING_OPTIONS.items() for option in options],
)
def test_options_of_the_training_must_not_be_negative(attention, option):
    mode = next(iter(ATTENTION_MECHANISMS[attention]))
    with pytest.raises(ValueError, match=f"{option} must be a number >= 0. Got -1 instead"):
        network_of(attention, mode, attention_params={option: -1})


@every_mechanism
def test_options_of_the_other_modes_are_ignored(attention, mode):
    assert not set(attention_options(attention)) & {"hidden_size", "n_features", "dropout"}
    for option in attention_options(attention):
        if option == "rescale":
            network_of(attention, mode, attention_params={option: False})


@pytest.mark.parametrize("n_items", [1, FEW_ITEMS - 1, FEW_ITEMS])
@pytest.mark.parametrize("is_masked", [False, True])
def test_the_softmax_of_few_and_many_items_is_that_of_torch(n_items, is_masked):
    torch.manual_seed(0)
    logits = 30 * torch.randn(3, 4, n_items, dtype=torch.float64)
    mask = torch.ones_like(logits, dtype=torch.bool)
    mask[0, :, : n_items // 2] = not is_masked
    logits.requires_grad_(True)
    expected = logits.masked_fill(~mask, -torch.inf).softmax(dim=2)
    weights = masked_softmax(logits, mask if is_masked else None, dim=2)
    torch.testing.assert_close(weights, expected)
    change = torch.randn_like(logits)
    of_torch, own = (torch.autograd.grad((w * change).sum(), logits) for w in (expected, weights))
    torch.testing.assert_close(own, of_torch)
