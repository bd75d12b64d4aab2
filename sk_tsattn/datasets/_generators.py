"""Windows whose targets are made from known cells: attention can be held against the truth.

Every generator returns ``(X, y, drivers)``: windows of shape (n_samples, n_timesteps, n_features),
oldest step first, targets of shape (n_samples,), and a boolean array of the shape of X that is True
at the cells which drive the target of that sample.
"""

from statistics import NormalDist

import numpy as np

from sk_tsattn.datasets._inputs import (
    NUMBER,
    add_noise,
    check_cells,
    check_shape,
    normal_inputs,
    random_generator,
    set_marks,
    steps_apart,
)
from sk_tsattn.datasets._signals import (
    BOXES,
    announced_signal,
    box_index,
    boxes_signal,
    cells_signal,
    decoys_signal,
    marked_signal,
    scaled_cells,
    switch_signal,
    value_feature,
)


def make_fixed_cells(
    n_samples=3000,
    *,
    n_timesteps=20,
    n_features=10,
    cells=None,
    noise=0.1,
    autocorrelation=0.0,
    random_state=None,
):
    """Make windows whose target is a weighted sum of the same few cells in every sample.

    By default the difference of two features at one step, ``y = X[:, 6, 2] - X[:, 6, 5]``; inputs
    are standard normal. A plain LSTM without a sense of position cannot find the step.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=20
        Length of a window, in steps.

    n_features : int, default=10
        Number of features. At least 2 with the default cells.

    cells : dict of (int, int) to float, default=None
        Weight of each driving cell ``(timestep, feature)``, counted from 0. None is
        ``{(6, 2): 1.0, (6, 5): -1.0}``, its positions moved in proportion to other window sizes.

    noise : float, default=0.1
        Standard deviation of the noise added to the target, in units of the noise-free target's
        standard deviation. With 1.0 no model can explain more than half of the variance.

    autocorrelation : float, default=0.0
        Correlation of a feature with itself one step before; inputs are stationary AR(1) of
        variance 1.

    random_state : int, RandomState, Generator or None, default=None
        Source of randomness. An int gives the same arrays each time.

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, n_features)
    y : ndarray of shape (n_samples,)
    drivers : ndarray of bool, of shape (n_samples, n_timesteps, n_features)

    Examples
    --------
    >>> import numpy as np
    >>> from sk_tsattn.datasets import make_fixed_cells
    >>> X, y, drivers = make_fixed_cells(n_samples=100, noise=0.0, random_state=0)
    >>> X.shape, np.argwhere(drivers[0]).tolist()
    ((100, 20, 10), [[6, 2], [6, 5]])
    >>> bool(np.allclose(y, X[:, 6, 2] - X[:, 6, 5]))
    True
    """
    smallest = (1, 2) if cells is None else (1, 1)
    shape = check_shape("make_fixed_cells", n_samples, n_timesteps, n_features, smallest)
    if cells is None:
        cells = scaled_cells({(6, 2): 1.0, (6, 5): -1.0}, shape)
    check_cells(cells, shape)
    rng = random_generator(random_state)
    X = normal_inputs(rng, shape, autocorrelation)
    signal, drivers = cells_signal(X, cells)
    return X, add_noise(rng, signal, noise), drivers


def make_different_times(
    n_samples=3000,
    *,
    n_timesteps=20,
    n_features=10,
    noise=0.1,
    autocorrelation=0.0,
    random_state=None,
):
    """Make windows in which different features matter at different times.

    ``y = X[:, 4, 1] + X[:, 10, 3] - X[:, 16, 6]``, the positions moved in proportion to other
    window sizes; inputs are standard normal. One vector of weights over time and one over
    features cannot say which feature mattered when.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=20
        Length of a window, in steps. At least 3.

    n_features : int, default=10
        Number of features. At least 4.

    noise : float, default=0.1
        Standard deviation of the noise added to the target, in units of the noise-free target's
        standard deviation. With 1.0 no model can explain more than half of the variance.

    autocorrelation : float, default=0.0
        Correlation of a feature with itself one step before; inputs are stationary AR(1) of
        variance 1.

    random_state : int, RandomState, Generator or None, default=None
        Source of randomness. An int gives the same arrays each time.

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, n_features)
    y : ndarray of shape (n_samples,)
    drivers : ndarray of bool, of shape (n_samples, n_timesteps, n_features)

    Examples
    --------
    >>> import numpy as np
    >>> from sk_tsattn.datasets import make_different_times
    >>> X, y, drivers = make_different_times(random_state=0)
    >>> np.argwhere(drivers[0]).tolist()
    [[4, 1], [10, 3], [16, 6]]
    """
    shape = check_shape("make_different_times", n_samples, n_timesteps, n_features, (3, 4))
    cells = scaled_cells({(4, 1): 1.0, (10, 3): 1.0, (16, 6): -1.0}, shape)
    rng = random_generator(random_state)
    X = normal_inputs(rng, shape, autocorrelation)
    signal, drivers = cells_signal(X, cells)
    return X, add_noise(rng, signal, noise), drivers


def make_marked_cell(
    n_samples=3000,
    *,
    n_timesteps=20,
    n_features=10,
    noise=0.1,
    autocorrelation=0.0,
    count_markers=False,
    random_state=None,
):
    """Make windows whose target is one feature's value at the step that another feature marks.

    Feature 7 is 1 at one step, drawn for each sample, and 0 elsewhere; ``y`` is feature 3 at that
    step. With other numbers of features both move in proportion. The other inputs are standard
    normal. The cell that matters differs from sample to sample.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=20
        Length of a window, in steps. At least 2.

    n_features : int, default=10
        Number of features. At least 2.

    noise : float, default=0.1
        Standard deviation of the noise added to the target, in units of the noise-free target's
        standard deviation. With 1.0 no model can explain more than half of the variance.

    autocorrelation : float, default=0.0
        Correlation of a feature with itself one step before; inputs other than the marker are
        stationary AR(1) of variance 1.

    count_markers : bool, default=False
        Count the cell that holds the mark as a driver too, though it only tells where to look.

    random_state : int, RandomState, Generator or None, default=None
        Source of randomness. An int gives the same arrays each time.

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, n_features)
    y : ndarray of shape (n_samples,)
    drivers : ndarray of bool, of shape (n_samples, n_timesteps, n_features)

    Examples
    --------
    >>> import numpy as np
    >>> from sk_tsattn.datasets import make_marked_cell
    >>> X, y, drivers = make_marked_cell(noise=0.0, random_state=0)
    >>> bool(np.allclose(y, X[:, :, 3][X[:, :, 7] == 1]))
    True
    >>> bool(np.array_equal(drivers[:, :, 3], X[:, :, 7] == 1))
    True
    """
    shape = check_shape("make_marked_cell", n_samples, n_timesteps, n_features, (2, 2))
    rng = random_generator(random_state)
    X = normal_inputs(rng, shape, autocorrelation)
    positions = rng.integers(n_timesteps, size=(n_samples, 1))
    set_marks(X, positions)
    signal, drivers = marked_signal(X, count_markers)
    return X, add_noise(rng, signal, noise), drivers


def make_adding(
    n_samples=3000,
    *,
    n_timesteps=20,
    n_features=10,
    marker="feature",
    noise=0.1,
    autocorrelation=0.0,
    count_markers=False,
    random_state=None,
):
    """Make windows whose target is the sum of two marked numbers [Hochreiter1997]_.

    Inputs are uniform on [0, 1]. Two steps, never adjacent, are drawn for each sample; ``y`` is
    the sum of feature 3 at these steps (the feature moves in proportion to other numbers of
    features). With ``n_features=1, marker="zero"`` the window is a single series in which a zero
    announces each number.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=20
        Length of a window, in steps. At least 3, or 4 with ``marker="zero"``.

    n_features : int, default=10
        Number of features. At least 2, or 1 with ``marker="zero"``.

    marker : {"feature", "zero"}, default="feature"
        What marks a number. "feature": feature 7 (moved in proportion) is 1 at its step and 0 at
        all steps that are not marked. "zero": feature 3 itself is 0 in the step before it.

    noise : float, default=0.1
        Standard deviation of the noise added to the target, in units of the noise-free target's
        standard deviation. With 1.0 no model can explain more than half of the variance.

    autocorrelation : float, default=0.0
        Inputs are stationary AR(1) series with this coefficient, mapped to the uniform
        distribution by the normal distribution function; their own correlation from step to step
        is slightly lower.

    count_markers : bool, default=False
        Count the cells that mark the numbers as drivers too, though they only tell where to look.

    random_state : int, RandomState, Generator or None, default=None
        Source of randomness. An int gives the same arrays each time.

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, n_features)
    y : ndarray of shape (n_samples,)
    drivers : ndarray of bool, of shape (n_samples, n_timesteps, n_features)

    References
    ----------
    .. [Hochreiter1997] S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural
       Computation 9 (1997) 1735-1780, experiment 4.

    Examples
    --------
    >>> from sk_tsattn.datasets import make_adding
    >>> X, y, drivers = make_adding(n_features=1, marker="zero", noise=0.0, random_state=0)
    >>> bool((X[drivers].reshape(-1, 2).sum(axis=1) == y).all())
    True
    """
    if marker not in ("feature", "zero"):
        raise ValueError(f"marker must be 'feature' or 'zero'. Got {marker!r} instead.")
    smallest = (3, 2) if marker == "feature" else (4, 1)
    shape = check_shape(
        f"make_adding with marker={marker!r}", n_samples, n_timesteps, n_features, smallest
    )
    rng = random_generator(random_state)
    X = np.vectorize(NormalDist().cdf)(normal_inputs(rng, shape, autocorrelation))
    if marker == "feature":
        set_marks(X, steps_apart(rng, n_samples, n_timesteps))
        signal, drivers = marked_signal(X, count_markers)
    else:
        # The first step cannot be announced, so that positions begin at 1.
        positions = 1 + steps_apart(rng, n_samples, n_timesteps - 1)
        X[np.arange(n_samples)[:, None], positions - 1, value_feature(X.shape[2])] = 0.0
        signal, drivers = announced_signal(X, count_markers)
    return X, add_noise(rng, signal, noise), drivers


def make_decoys(
    n_samples=3000,
    *,
    n_timesteps=20,
    n_features=10,
    correlation=0.9,
    noise=0.1,
    autocorrelation=0.7,
    random_state=None,
):
    """Make windows in which half of the features imitate the two that matter.

    ``y`` is the sum of the last 3 steps of feature 0 minus that of feature 1. The second half of
    the features are decoys: copies of feature 0 and of feature 1 in turn, blurred to the given
    correlation. They predict the target, but drive nothing.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=20
        Length of a window, in steps. At least 3.

    n_features : int, default=10
        Number of features. At least 4; ``n_features // 2`` is the first decoy.

    correlation : float, default=0.9
        Correlation of a decoy with the feature that it imitates, between -1 and 1.

    noise : float, default=0.1
        Standard deviation of the noise added to the target, in units of the noise-free target's
        standard deviation. With 1.0 no model can explain more than half of the variance.

    autocorrelation : float, default=0.7
        Correlation of a feature with itself one step before; inputs are stationary AR(1) of
        variance 1.

    random_state : int, RandomState, Generator or None, default=None
        Source of randomness. An int gives the same arrays each time.

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, n_features)
    y : ndarray of shape (n_samples,)
    drivers : ndarray of bool, of shape (n_samples, n_timesteps, n_features)

    Examples
    --------
    >>> import numpy as np
    >>> from sk_tsattn.datasets import make_decoys
    >>> X, y, drivers = make_decoys(random_state=0)
    >>> np.flatnonzero(drivers[0].any(axis=0)).tolist()
    [0, 1]
    >>> print(f"{np.corrcoef(X[:, -1, 0], X[:, -1, 5])[0, 1]:.1f}")
    0.9
    """
    shape = check_shape("make_decoys", n_samples, n_timesteps, n_features, (3, 4))
    if not isinstance(correlation, NUMBER) or not -1 <= correlation <= 1:
        raise ValueError(
            f"correlation must be a number from -1 to 1. Got {correlation!r} instead; 0 makes "
            "decoys that imitate nothing."
        )
    rng = random_generator(random_state)
    X = normal_inputs(rng, shape, autocorrelation)
    for decoy in range(n_features // 2, n_features):
        imitated = (decoy - n_features // 2) % 2
        X[:, :, decoy] *= np.sqrt(1 - correlation**2)
        X[:, :, decoy] += correlation * X[:, :, imitated]
    signal, drivers = decoys_signal(X)
    return X, add_noise(rng, signal, noise), drivers


def make_switch(
    n_samples=3000,
    *,
    n_timesteps=20,
    n_features=10,
    noise=0.1,
    autocorrelation=0.0,
    count_markers=False,
    random_state=None,
):
    """Make windows in which a switch decides, sample by sample, which feature matters.

    ``y`` is the mean of the last 5 steps of feature 1 if the switch is positive, else of feature
    2. The switch is the last step of feature 0. Inputs are standard normal.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=20
        Length of a window, in steps. At least 5.

    n_features : int, default=10
        Number of features. At least 3.

    noise : float, default=0.1
        Standard deviation of the noise added to the target, in units of the noise-free target's
        standard deviation. With 1.0 no model can explain more than half of the variance.

    autocorrelation : float, default=0.0
        Correlation of a feature with itself one step before; inputs are stationary AR(1) of
        variance 1.

    count_markers : bool, default=False
        Count the cell of the switch as a driver too, though it only tells where to look.

    random_state : int, RandomState, Generator or None, default=None
        Source of randomness. An int gives the same arrays each time.

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, n_features)
    y : ndarray of shape (n_samples,)
    drivers : ndarray of bool, of shape (n_samples, n_timesteps, n_features)

    Examples
    --------
    >>> import numpy as np
    >>> from sk_tsattn.datasets import make_switch
    >>> X, y, drivers = make_switch(random_state=0)
    >>> bool(np.array_equal(drivers[:, -1, 1], X[:, -1, 0] > 0))
    True
    >>> drivers.sum(axis=(1, 2)).tolist() == [5] * 3000
    True
    """
    shape = check_shape("make_switch", n_samples, n_timesteps, n_features, (5, 3))
    rng = random_generator(random_state)
    X = normal_inputs(rng, shape, autocorrelation)
    signal, drivers = switch_signal(X, count_markers)
    return X, add_noise(rng, signal, noise), drivers


def make_boxes(
    n_samples=3000,
    *,
    n_timesteps=20,
    n_features=10,
    position="early",
    noise=0.0,
    autocorrelation=0.0,
    random_state=None,
):
    """Make windows of noise with a box of raised or lowered values, whose sign is the target.

    Inputs are normal of variance 1; their mean is 0 outside and ``y`` inside a rectangle of steps
    and features, ``y`` being 1 or -1. Saliency that fades with time misses an early box.
    [Ismail2019]_ With ``n_timesteps=100, n_features=100`` the boxes are those of the paper.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=20
        Length of a window, in steps. At least 4.

    n_features : int, default=10
        Number of features. At least 2.

    position : {"early", "middle", "late"}, default="early"
        Where the box lies. "early": the first 30 % of the steps; "late": the last 30 %, both over
        the middle 80 % of the features; "middle": the middle 60 % of both.

    noise : float, default=0.0
        Standard deviation of the noise added to the target, in units of the noise-free target's
        standard deviation. With 0.0 ``y`` is a label, 1 or -1.

    autocorrelation : float, default=0.0
        Correlation of a feature with itself one step before, within the box or outside it.

    random_state : int, RandomState, Generator or None, default=None
        Source of randomness. An int gives the same arrays each time.

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, n_features)
    y : ndarray of shape (n_samples,)
        The sign of the box's mean. In a box of few cells it can differ from the sign with which
        the box was drawn.
    drivers : ndarray of bool, of shape (n_samples, n_timesteps, n_features)

    References
    ----------
    .. [Ismail2019] A. A. Ismail, M. Gunady, L. Pessoa, H. Corrada Bravo and S. Feizi, "Input-Cell
       Attention Reduces Vanishing Saliency of Recurrent Neural Networks", NeurIPS 2019.
       https://arxiv.org/abs/1910.12370

    Examples
    --------
    >>> import numpy as np
    >>> from sk_tsattn.datasets import make_boxes
    >>> X, y, drivers = make_boxes(position="late", random_state=0)
    >>> np.unique(y).tolist()
    [-1.0, 1.0]
    >>> np.flatnonzero(drivers[0].any(axis=1)).tolist()
    [14, 15, 16, 17, 18, 19]
    """
    shape = check_shape("make_boxes", n_samples, n_timesteps, n_features, (4, 2))
    if position not in BOXES:
        raise ValueError(f"position must be one of {list(BOXES)}. Got {position!r} instead.")
    rng = random_generator(random_state)
    X = normal_inputs(rng, shape, autocorrelation)
    box = box_index(shape, position)
    X[box] += rng.choice([-1.0, 1.0], size=(n_samples, 1, 1))
    signal, drivers = boxes_signal(X, position)
    return X, add_noise(rng, signal, noise), drivers
