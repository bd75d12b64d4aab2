"""The kinds of picture of attention: a function that draws each, and the dict that lists them.

A function takes the display and the axes to draw on (None: a new figure of a fitting size). It
raises before it makes a figure where the display lacks the numbers, and returns the axes and their
panels by name.
"""

import numpy as np

from ._style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    color_map,
    label_steps,
    new_axes,
    set_title,
    size_of,
)

BAR_COLOR = "#31688e"  # of viridis, so that bars and map belong together in any eye
DOT = {"marker": "o", "linestyle": "", "color": INK, "mfc": "white", "ms": 4.0}
UNIFORM = {"color": VERMILION, "linestyle": "--", "linewidth": 1.5}
# Bars of spread cover the middle of this many rows or more; fewer are drawn one by one.
QUANTILE_ROWS = 20
QUANTILES = (0.1, 0.9)
# Windows longer than this have no room for a line in each bar.
NARROW_STEPS = 60
# A cell of the map with less than this share of uniform attention is blank: gates that open in a
# few of many windows would tint all of it.
BLANK = 0.05
# Features of a sample, unless max_features says otherwise: more are no longer read.
SAMPLE_FEATURES = 6
# Features with a smaller share of the attention are left out of a sample.
SAMPLE_SHARE = 1e-3
CURVE_STYLES = (
    (BLUE, "-"),
    (INK, ":"),
    (VERMILION, "--"),
    (GREEN, "-."),
    (PURPLE, "-"),
    (ORANGE, "--"),
    (SKY, "-."),
)
CURVE_READING = {
    "comprehensiveness": ("share of the input removed", "above random: what matters was found"),
    "sufficiency": ("share of the input kept", "below random: what suffices was found"),
}


def draw_map(display, ax, max_features):
    """Draw attention on each cell, with bars of its margins."""
    cell = display.cell
    if cell is None:
        raise ValueError(_lacking(display, "map", "over both axes", "attention_mode='both'"))
    n_timesteps, n_features = cell.shape
    shown = np.sort(_most_attended(cell.sum(axis=0), max_features))
    ax = new_axes(ax, _width(n_timesteps), 1.9 + 0.24 * max(len(shown), 7))
    ax.set_axis_off()
    # The bars take the same room beside small and large maps.
    width, height = size_of(ax)
    beside, above = min(0.25, 1.4 / width), min(0.3, 0.8 / height)
    room = 1 - beside - 0.15 / width
    map_ax = ax.inset_axes((0, 0, room, 1 - above - 0.1 / height))
    top = ax.inset_axes((0, 1 - above, room, above), sharex=map_ax)
    right = ax.inset_axes((1 - beside, 0, beside, 1 - above - 0.1 / height), sharey=map_ax)
    corner = ax.inset_axes((1 - beside, 1 - above + 0.22 / height, beside, 0.1 / height))

    # The map in shares of uniform attention: 1 is what a cell would get by chance.
    share = np.ma.masked_less(cell[:, shown].T * cell.size, BLANK)
    image = map_ax.imshow(
        share,
        aspect="auto",
        cmap=color_map("viridis_r", 0.06, 1),
        vmin=0,
        extent=(0.5 - n_timesteps, 0.5, len(shown) - 0.5, -0.5),
        interpolation="nearest",
    )
    label_steps(map_ax.xaxis)
    map_ax.set_yticks(range(len(shown)), [_names(display)[i] for i in shown])
    # Faint lines lead the eye from a name through the blank to its cells.
    map_ax.set_yticks(np.arange(len(shown) - 1) + 0.5, minor=True)
    map_ax.grid(axis="y", which="minor", color="#dddddd", linewidth=0.5)
    map_ax.tick_params(axis="y", which="minor", left=False)
    _uniform_bars(top, display.cell.sum(axis=1) if display.time is None else display.time)
    top.tick_params(labelbottom=False)
    top.set_xlabel("")
    top.set_ylabel("attention")
    top.locator_params(axis="y", nbins=2)
    feature = display.cell.sum(axis=0) if display.feature is None else display.feature
    right.barh(range(len(shown)), feature[shown], color=BAR_COLOR)
    right.axvline(1 / n_features, **UNIFORM)
    right.tick_params(axis="y", which="both", left=False, labelleft=False)
    right.locator_params(axis="x", nbins=2, prune="lower")
    right.set_xlabel("attention")
    blank = bool(np.ma.getmaskarray(share).any())
    extend = "min" if blank else "neither"
    colorbar = ax.figure.colorbar(image, cax=corner, orientation="horizontal", extend=extend)
    colorbar.ax.locator_params(axis="x", nbins=3)
    note = f"\n(white: < {BLANK:g})" if blank else ""
    corner.set_title(f"times uniform{note}", fontsize="medium")
    rest = "" if len(shown) == n_features else f" ({len(shown)} of {n_features} features)"
    set_title(ax, f"Attention on steps and features{rest}, and its sums (dashed: if uniform)")
    return ax, {"map": map_ax, "time": top, "feature": right}


def draw_sample(display, ax, max_features):
    """Draw the series of one sample, shaded where its attention lies."""
    sample = display.sample
    if sample is None:
        raise ValueError(
            "kind='sample' needs a sample. Got none instead; give X, and the position of the "
            "sample in it: AttentionDisplay.from_estimator(estimator, X, kind='sample', sample=-1)."
        )
    n_timesteps, n_features = sample.series.shape
    over = next(axes for axes in ("cell", "feature", "time") if axes in sample)
    weight = sample[over][:, None] if over == "time" else sample[over]
    shade = np.broadcast_to(weight, sample.series.shape)
    limit = SAMPLE_FEATURES if max_features is None else max_features
    shown = np.arange(n_features)[:limit]
    if over != "time":
        used = max(1, np.count_nonzero(sample.feature >= SAMPLE_SHARE))
        shown = _most_attended(sample.feature, min(limit, used))
    ax = new_axes(ax, _width(n_timesteps), 1.1 + 0.95 * len(shown))
    ax.set_axis_off()
    x, edges = _sample_times(sample.times, n_timesteps)
    slot = 1 / len(shown)
    title = min(0.5 * slot, 0.24 / size_of(ax)[1])
    panels: dict = {}
    for i, feature in enumerate(shown):
        first = next(iter(panels.values()), None)
        box = (0, 1 - (i + 1) * slot, 0.95, slot - title)
        panel = panels[_names(display)[feature]] = ax.inset_axes(box, sharex=first)
        dots = "." if n_timesteps <= 48 else None
        panel.plot(x, sample.series[:, feature], color=INK, linewidth=1.2, marker=dots)
        panel.margins(y=0.15)
        y_limits = panel.get_ylim()
        mesh = panel.pcolormesh(
            edges,
            y_limits,
            np.ma.masked_equal(shade[None, :, feature], 0),
            cmap=color_map("Oranges", 0.22, 0.7),
            vmin=0,
            vmax=shade.max(),
            zorder=0,
        )
        panel.set(xlim=(edges[0], edges[-1]), ylim=y_limits)
        roomy = size_of(ax)[1] * slot > 0.85
        panel.locator_params(axis="y", nbins=3 if roomy else 1, min_n_ticks=2 if roomy else 1)
        panel.tick_params(axis="y", labelsize="small")
        panel.set_title(_names(display)[feature], loc="left", fontsize="small", pad=3)
        if over != "time":
            share = f"{_percent(sample.feature[feature])} of the attention"
            panel.set_title(share, loc="right", fontsize="small", pad=3)
        if i + 1 < len(shown):
            panel.tick_params(labelbottom=False)
    if sample.times is None:
        label_steps(panel.xaxis)
    else:
        _label_times(panel, sample.times)
    bar = ax.inset_axes((0.965, 0, 0.015, 1 - title))
    ax.figure.colorbar(mesh, cax=bar)
    bar.set_ylabel("share of attention")
    rest = ""
    if len(shown) < n_features:
        rest = f"; {len(shown)} of {n_features} features"
        if over != "time":
            rest += f", the others have {_percent(1 - sample.feature[shown].sum())}"
    set_title(ax, sample.title, f"The darker, the more attention{rest}")
    return ax, panels


def draw_feature(display, ax, max_features):
    """Draw bars of the attention on each feature, the most attended first, with their spread."""
    if display.feature is None:
        raise ValueError(
            _lacking(display, "feature", "over features", "attention_mode='feature' or 'both'")
        )
    n_features = len(display.feature)
    shown = _most_attended(display.feature, max_features)
    ax = new_axes(ax, 8, 1.3 + 0.24 * max(len(shown), 5))
    place = np.arange(len(shown))
    ax.barh(place, display.feature[shown], color=BAR_COLOR)
    ax.axvline(1 / n_features, **UNIFORM)
    spread = None if display.feature_spread is None else display.feature_spread[:, shown]
    reading = _draw_spread(
        display,
        spread,
        lambda low, high: ax.hlines(place, low, high, color=INK, linewidth=2),
        lambda row: ax.plot(row, place, **DOT),
    )
    ax.set_yticks(place, [_names(display)[i] for i in shown])
    ax.invert_yaxis()
    ax.set_xlim(left=0)
    ax.set_xlabel("share of attention")
    rest = "" if len(shown) == n_features else f", the first {len(shown)} of {n_features}"
    set_title(ax, f"Attention on features{rest}{_mean_over(display, spread)}", reading)
    return ax, {"feature": ax}


def draw_time(display, ax, max_features):
    """Draw bars of the attention on each time step, with their spread."""
    del max_features  # which is of no concern here
    if display.time is None:
        raise ValueError(_lacking(display, "time", "over time", "attention_mode='time' or 'both'"))
    n_timesteps = len(display.time)
    ax = new_axes(ax, _width(n_timesteps), 3.2)
    _uniform_bars(ax, display.time)
    steps = np.arange(1 - n_timesteps, 1)

    def draw_range(low, high):
        if n_timesteps <= NARROW_STEPS:
            ax.vlines(steps, low, high, color=INK, linewidth=2)
        else:
            ax.fill_between(steps, low, high, step="mid", color=INK, alpha=0.5, linewidth=0)

    dot = min(4.0, 250 / n_timesteps)
    reading = _draw_spread(
        display,
        display.time_spread,
        draw_range,
        lambda row: ax.plot(steps, row, **DOT | {"ms": dot}),
    )
    label_steps(ax.xaxis)
    ax.set_xlim(0.5 - n_timesteps, 0.5)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("share of attention")
    set_title(ax, f"Attention on time steps{_mean_over(display, display.time_spread)}", reading)
    return ax, {"time": ax}


def _short(number):
    """Write a number in three digits or, if it is large, whole."""
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def draw_faithfulness(display, ax, max_features):
    """Draw how the error changes as the input goes, or comes, in the order of attention."""
    del max_features
    if display.curves is None:
        raise ValueError(
            "kind='faithfulness' needs curves. Got a display without them instead; compute them "
            "with result = sk_tsattn.inspection.faithfulness(estimator, X, y) and draw "
            "AttentionDisplay.from_faithfulness(result)."
        )
    curves = display.curves
    kinds = list(curves["kind"].drop_duplicates())
    orders = list(curves["order"].drop_duplicates())
    ax = new_axes(ax, 4.2 * max(len(kinds), 1.4), 4.2)
    ax.set_axis_off()
    panels: dict = {}
    gap = 0.03
    # The titles above and the legends below have their room in inches.
    _, height = size_of(ax)
    low, top = (0.5 + 0.18 * len(orders)) / height, 1 - 0.4 / height
    for i, kind in enumerate(kinds):
        width = (1 - gap * (len(kinds) - 1)) / len(kinds)
        first = next(iter(panels.values()), None)
        panel = panels[kind] = ax.inset_axes(
            (i * (width + gap), low, width, top - low), sharey=first
        )
        for order, (color, line) in zip(orders, _cycle(CURVE_STYLES, len(orders)), strict=True):
            part = curves[(curves["kind"] == kind) & (curves["order"] == order)]
            label = str(order)
            if display.areas is not None and (order, kind) in display.areas.index:
                area = display.areas.loc[(order, kind)]
                label += f": area {_short(area['area'])}"
                label += f" [{_short(area['low'])}, {_short(area['high'])}]"
            panel.plot(part["fraction"], part["error"], color=color, linestyle=line, label=label)
            panel.fill_between(
                part["fraction"], part["low"], part["high"], color=color, alpha=0.2, linewidth=0
            )
        share, reading = CURVE_READING.get(kind, ("share of the input", ""))
        panel.set_xlabel(share)
        panel.set_title(f"{kind}\n{reading}", fontsize="small")
        if first is None:
            panel.set_ylabel("error")
        else:
            panel.tick_params(labelleft=False)
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.45 / (height * (top - low)))}
        panel.legend(**below, fontsize="small", frameon=False, borderpad=0)
    set_title(ax, "Error as the input is taken away or given, the most important first")
    return ax, panels


# The single list of kinds: from the user's word to the function that draws it.
KINDS = {
    "map": draw_map,
    "sample": draw_sample,
    "feature": draw_feature,
    "time": draw_time,
    "faithfulness": draw_faithfulness,
}


def _lacking(display, kind, wanted, fit):
    """Say that a display lacks the attention that a kind of picture draws."""
    has = [f"over {over}" for over in ("time", "feature") if getattr(display, over) is not None]
    came = " and ".join(has).replace("over feature", "over features") or "none"
    can = [f"kind={over!r}" for over in ("time", "feature") if getattr(display, over) is not None]
    if display.sample is not None:
        can.append("kind='sample'")
    if display.curves is not None:
        can.append("kind='faithfulness'")
    return (
        f"kind={kind!r} needs attention {wanted}. Got attention {came} instead; fit with {fit}, "
        f"or draw {' or '.join(can)}."
    )


def _most_attended(weight, limit):
    """Order features by attention, the most attended first, and keep ``limit`` of them."""
    return np.argsort(-weight, kind="stable")[: len(weight) if limit is None else limit]


def _uniform_bars(ax, time):
    width = 0.8 if len(time) <= NARROW_STEPS else 1.0  # no gaps that a screen would blur
    ax.bar(np.arange(1 - len(time), 1), time, width=width, color=BAR_COLOR)
    ax.axhline(1 / len(time), **UNIFORM)


def _width(n_timesteps):
    """Width of a figure in inches: a step is to be wider than a line."""
    return 8 if n_timesteps <= 100 else 10


def _names(display):
    """Name the features; where no names are known, by their numbers."""
    if display.feature_names is not None:
        return list(display.feature_names)
    given = display.feature, display.cell, None if display.sample is None else display.sample.series
    n_features = next(numbers.shape[-1] for numbers in given if numbers is not None)
    return [f"feature {i}" for i in range(n_features)]


def _mean_over(display, spread):
    return "" if spread is None else f": mean over {len(spread)} {display.spread_over}"


def _draw_spread(display, rows, draw_range, draw_row):
    """Draw the spread of rows of attention about their mean, and say how the picture reads."""
    if rows is None or len(rows) < 2:
        return "dashed: uniform attention"
    if len(rows) < QUANTILE_ROWS:
        for row in rows:
            draw_row(row)
        what = f"dots: each of the {display.spread_over}"
    else:
        draw_range(*np.quantile(rows, QUANTILES, axis=0))
        low, high = map(_percent, QUANTILES)
        what = f"dark: {low} to {high} of the {display.spread_over}"
    return f"dashed: uniform attention; {what}"


def _percent(share):
    share = max(share, 0.0)
    digits = 0 if share >= 0.1 or share == 0 else 1
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def _cycle(items, n):
    return [items[i % len(items)] for i in range(n)]


def _sample_times(times, n_timesteps):
    """Where the steps of a sample lie, and where the shading of each begins and ends."""
    if times is None:
        return np.arange(1 - n_timesteps, 1), np.arange(1 - n_timesteps, 2) - 0.5
    x = times.to_numpy()
    between = x[:-1] + (x[1:] - x[:-1]) / 2
    half = (x[-1] - x[-2]) / 2 if len(x) > 1 else np.timedelta64(12, "h")
    first = x[0] - (x[1] - x[0]) / 2 if len(x) > 1 else x[0] - half
    return x, np.concatenate([[first], between, [x[-1] + half]])


def _label_times(panel, times):
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=8)
    panel.xaxis.set_major_locator(locator)
    panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    panel.set_xlabel("time" if times.name is None else times.name)
