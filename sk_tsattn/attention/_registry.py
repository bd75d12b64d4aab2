"""The registry of attention mechanisms: what each is made of in each attention mode.

A mechanism is a line of ``ATTENTION_MECHANISMS``, ``{mode: {place: class}}``. The places are

``"gate"``
    Before the LSTM: X (B, T, F), mask → gated X (B, T, F), weights (B, T, F).
``"feature_score"``
    The same, computed by a score whose keys are the series of the features.
``"readout"``
    After the LSTM: states (B, T, H), mask → (B, output_size), weights (B, T).
``"time_score"``
    The same, computed by a score whose keys are the states and whose query is the newest state.
``"network"``
    The whole network, built with the keywords of ``build_network``.

A class gets those of ``build_network``'s arguments that its constructor names. The other
keyword-only parameters of its constructor are the user's options, ``attention_params``. Options of
a mechanism's training, which no module takes, are in ``TRAINING_OPTIONS``.
"""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn

from ._bahdanau import BahdanauScore
from ._bottleneck._network import BottleneckLSTM
from ._darnn import DARNN
from ._dense import DenseCellGate, DenseFeatureGate, DenseTimeGate
from ._han import HANReadout, HANScore
from ._imv import IMVLSTM
from ._luong import LuongScore
from ._retain import RETAIN
from ._self import SelfFeatureGate, SelfReadout
from ._stacked import StackedFeatureGate
from ._wrappers import ScoreFeatureGate, ScoreReadout

ATTENTION_MODES = ("time", "feature", "both")

# fmt: off
ATTENTION_MECHANISMS: dict[str, dict[str, dict[str, type[nn.Module]]]] = {
    "bottleneck": {
        "time": {"network": BottleneckLSTM},
        "feature": {"network": BottleneckLSTM},
        "both": {"network": BottleneckLSTM},
    },
    "dense": {
        "time": {"gate": DenseTimeGate},
        "feature": {"gate": DenseFeatureGate},
        "both": {"gate": DenseCellGate},
    },
    "luong": {
        "time": {"time_score": LuongScore},
        "feature": {"feature_score": LuongScore},
        "both": {"gate": DenseFeatureGate, "time_score": LuongScore},
    },
    "bahdanau": {
        "time": {"time_score": BahdanauScore},
        "feature": {"feature_score": BahdanauScore},
        "both": {"gate": DenseFeatureGate, "time_score": BahdanauScore},
    },
    "han": {
        "time": {"readout": HANReadout},
        "feature": {"feature_score": HANScore},
        "both": {"feature_score": HANScore, "readout": HANReadout},
    },
    "darnn": {
        "time": {"network": DARNN},
        "feature": {"network": DARNN},
        "both": {"network": DARNN},
    },
    "stacked": {"both": {"gate": StackedFeatureGate, "time_score": LuongScore}},
    "self": {
        "time": {"readout": SelfReadout},
        "feature": {"gate": SelfFeatureGate},
        "both": {"gate": SelfFeatureGate, "readout": SelfReadout},
    },
    "retain": {
        "time": {"network": RETAIN},
        "feature": {"network": RETAIN},
        "both": {"network": RETAIN},
    },
    "imv": {
        "time": {"network": IMVLSTM},
        "feature": {"network": IMVLSTM},
        "both": {"network": IMVLSTM},
    },
}
# fmt: on

# Options of a mechanism's training and their defaults. All are numbers >= 0.
TRAINING_OPTIONS: dict[str, dict[str, float]] = {"bottleneck": {"tolerance": 0.01}}

# The module that uses a score, by place.
SCORE_PLACES: dict[str, type[nn.Module]] = {
    "feature_score": ScoreFeatureGate,
    "time_score": ScoreReadout,
}

# Arguments of build_network. A constructor may name them; they are not options.
NETWORK_ARGUMENTS = frozenset(
    {
        "attention_mode",
        "n_timesteps",
        "n_features",
        "n_outputs",
        "hidden_size",
        "num_layers",
        "dropout",
        "position_embedding",
    }
)


def options_of(cls: type[nn.Module]) -> list[str]:
    """Return the options of a class: its keyword-only parameters, except network arguments."""
    return [
        name
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in NETWORK_ARGUMENTS
    ]


def attention_options(attention: str) -> list[str]:
    """Return the keys that ``attention_params`` may have for a mechanism, over all its modes.

    A mode ignores the options of the others, so that a grid over ``attention_mode`` can keep them.
    """
    options = set(TRAINING_OPTIONS.get(attention, ()))
    for places in _modes(attention).values():
        for place, cls in places.items():
            options.update(options_of(cls))
            if place in SCORE_PLACES:
                options.update(options_of(SCORE_PLACES[place]))
    return sorted(options)


def attention_places(attention: str, attention_mode: str) -> dict[str, type[nn.Module]]:
    """Return the modules of a mechanism in a mode, by place.

    Raises
    ------
    ValueError
        If the mechanism or the mode does not exist, or the mechanism is not defined in the mode.
    """
    modes = _modes(attention)
    if attention_mode not in ATTENTION_MODES:
        raise ValueError(
            f"attention_mode must be one of {list(ATTENTION_MODES)} or None. "
            f"Got {attention_mode!r} instead."
        )
    if attention_mode not in modes:
        supported = "; ".join(
            f"{name!r} in {', '.join(map(repr, its_modes))}"
            for name, its_modes in ATTENTION_MECHANISMS.items()
        )
        raise ValueError(
            f"attention={attention!r} is not defined for attention_mode={attention_mode!r}. "
            f"Supported are {supported}."
        )
    return modes[attention_mode]


def training_options(
    attention: str, attention_params: dict[str, Any] | None = None
) -> dict[str, float]:
    """Return the options of a mechanism's training, completed by their defaults."""
    given = attention_params or {}
    defaults = TRAINING_OPTIONS.get(attention, {})
    return {name: given.get(name, default) for name, default in defaults.items()}


def check_attention_params(attention: str, attention_params: dict[str, Any]) -> None:
    """Raise a ValueError if ``attention_params`` has an unknown key or an invalid training option.

    The other options are checked by the constructors of the modules.
    """
    options = attention_options(attention)
    unknown = sorted(set(attention_params) - set(options))
    if unknown:
        raise ValueError(
            f"attention_params of attention={attention!r} may have the keys {options}. "
            f"Got {unknown} instead."
        )
    for name, value in training_options(attention, attention_params).items():
        if not value >= 0:
            default = TRAINING_OPTIONS[attention][name]
            raise ValueError(
                f"{name} must be a number >= 0. Got {value!r} instead; the default is {default}."
            )


def _modes(attention: str) -> dict[str, dict[str, type[nn.Module]]]:
    if attention not in ATTENTION_MECHANISMS:
        raise ValueError(
            f"attention must be one of {list(ATTENTION_MECHANISMS)}. Got {attention!r} instead."
        )
    return ATTENTION_MECHANISMS[attention]
