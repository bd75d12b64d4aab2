"""Real series shipped with the package: the values known at each time, and a later target.

The loaders return Any: a Bunch, or the pair (data, target) with ``return_X_y=True``; scikit-learn
has no types for the former.
"""

from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

_DATA = resources.files("sk_tsattn.datasets") / "data"


def load_beijing_pm25(
    *, horizon: int = 1, return_X_y: bool = False, as_frame: bool = False, impute: bool = True
) -> Any:
    """Load five years of hourly PM2.5 and weather in Beijing [Liang2015]_.

    A row of ``data`` contains the values known at that hour, including its own PM2.5. Its target
    is the PM2.5 ``horizon`` hours later. Of the 43,824 hours, the first 24 (PM2.5 missing, and no
    earlier value to fill it with) and the last ``horizon`` (no target) are dropped. The other 2,043
    missing values are replaced by the last observed one, so that no future value is used.

    Parameters
    ----------
    horizon : int, default=1
        Number of steps from a row to its target, in hours. At least 1.

    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    as_frame : bool, default=False
        Return ``data`` as a DataFrame and ``target`` as a Series, both indexed by time.

    impute : bool, default=True
        Fill missing PM2.5 with the last observed value. If False, ``data`` and
        ``target`` contain NaN.

    Returns
    -------
    bunch : Bunch
        data : ndarray or DataFrame of shape (43800 - horizon, 11)
            float64: ``pm2.5`` (µg/m³), ``DEWP`` and ``TEMP`` (°C), ``PRES`` (hPa), the wind
            direction as ``cbwd_NE``, ``cbwd_NW``, ``cbwd_SE``, ``cbwd_cv`` (0 or 1), ``Iws``
            (m/s, running sum), ``Is`` and ``Ir`` (hours of snow and of rain, running sums).
        target : ndarray or Series of shape (43800 - horizon,)
            ``pm2.5``, ``horizon`` hours later, in µg/m³.
        imputed, target_imputed : ndarray of shape (43800 - horizon,)
            bool: whether the ``pm2.5`` of the row, or its target, is missing in the source.
            Exclude rows with an imputed target from scores.
        index : DatetimeIndex of shape (43800 - horizon,)
            Hour of the row, at which the forecast is made.
        feature_names, target_names : list of str
            Names of the columns.
        frame : DataFrame of shape (43800 - horizon, 12), or None
            ``data`` and ``target`` side by side, with ``as_frame=True``.
        DESCR : str
            Source, citation, licence, units and pitfalls.
        filename : str
            Path of the data file.

    (data, target) : tuple
        With ``return_X_y=True``.

    Raises
    ------
    ValueError
        If ``horizon`` is not an integer of at least 1.

    References
    ----------
    .. [Liang2015] X. Liang et al., "Assessing Beijing's PM2.5 pollution: severity, weather impact,
       APEC and winter heating", Proceedings of the Royal Society A 471 (2015) 20150257.
       https://doi.org/10.1098/rspa.2015.0257. Data: https://doi.org/10.24432/C5JS49, CC BY 4.0
       under the repository's current terms.

    Examples
    --------
    >>> from sk_tsattn.datasets import load_beijing_pm25
    >>> pm25 = load_beijing_pm25(horizon=6)
    >>> pm25.data.shape, pm25.target_names
    ((43794, 11), ['pm2.5_t+6'])
    >>> float(pm25.data[6, 0]), float(pm25.target[0])  # the same hour
    (105.0, 105.0)
    """
    table = _read("beijing_pm25")
    time = pd.DatetimeIndex(
        pd.to_datetime(table[["year", "month", "day", "hour"]]), freq="h", name="time"
    )
    directions = {
        f"cbwd_{direction}": (table["cbwd"] == direction).to_numpy(dtype=np.float64)
        for direction in ("NE", "NW", "SE", "cv")
    }
    known = pd.concat(
        [
            table[["pm2.5", "DEWP", "TEMP", "PRES"]],
            pd.DataFrame(directions),
            table[["Iws", "Is", "Ir"]],
        ],
        axis=1,
    ).set_index(time)

    missing = known["pm2.5"].isna().to_numpy()
    first = int(np.argmin(missing))  # before it, there is no past value to fill in
    known, missing = known.iloc[first:], missing[first:]
    if impute:
        known = known.assign(**{"pm2.5": known["pm2.5"].ffill()})

    bunch = _forecasting_bunch("beijing_pm25", known, "pm2.5", horizon, as_frame)
    n_rows = len(bunch.target)
    bunch.imputed = missing[:n_rows].copy()
    bunch.target_imputed = missing[-n_rows:].copy()
    return (bunch.data, bunch.target) if return_X_y else bunch


def load_appliances_energy(
    *, horizon: int = 1, return_X_y: bool = False, as_frame: bool = False
) -> Any:
    """Load the energy use of appliances in a house, every 10 minutes for 4.5 months [Cand2017]_.

    A row of ``data`` contains the values that the source reports for that time, including its own
    energy use. Its target is the energy use ``horizon`` steps later. The last ``horizon`` rows,
    which have no target, are dropped. Two features, ``rv1`` and ``rv2``, are random numbers that
    the authors added; being irrelevant, they test feature rankings. The six airport columns leak
    the future: the authors interpolated linearly between hourly reports, so that values within an
    hour depend on the report at its end.

    Parameters
    ----------
    horizon : int, default=1
        Number of steps from a row to its target, in steps of 10 minutes. At least 1.

    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    as_frame : bool, default=False
        Return ``data`` as a DataFrame and ``target`` as a Series, both indexed by time.

    Returns
    -------
    bunch : Bunch
        data : ndarray or DataFrame of shape (19735 - horizon, 28)
            float64: ``Appliances`` and ``lights`` (Wh), ``T1`` to ``T9`` (°C) and ``RH_1`` to
            ``RH_9`` (%) of the rooms, the airport's ``T_out`` (°C), ``Press_mm_hg`` (mm Hg),
            ``RH_out`` (%), ``Windspeed`` (m/s), ``Visibility`` (km) and ``Tdewpoint`` (°C), and
            the random ``rv1`` and ``rv2`` (no unit, identical).
        target : ndarray or Series of shape (19735 - horizon,)
            ``Appliances``, ``horizon`` steps later, in Wh.
        index : DatetimeIndex of shape (19735 - horizon,)
            Time of the row, at which the forecast is made.
        feature_names, target_names : list of str
            Names of the columns.
        frame : DataFrame of shape (19735 - horizon, 29), or None
            ``data`` and ``target`` side by side, with ``as_frame=True``.
        DESCR : str
            Source, citation, licence, units and pitfalls.
        filename : str
            Path of the data file.

    (data, target) : tuple
        With ``return_X_y=True``.

    Raises
    ------
    ValueError
        If ``horizon`` is not an integer of at least 1.

    References
    ----------
    .. [Cand2017] L. M. Candanedo, V. Feldheim and D. Deramaix, "Data driven prediction models of
       energy use of appliances in a low-energy house", Energy and Buildings 140 (2017) 81-97.
       https://doi.org/10.1016/j.enbuild.2017.01.083. Data: https://doi.org/10.24432/C5VC8G,
       CC BY 4.0 under the repository's current terms.

    Examples
    --------
    >>> from sk_tsattn.datasets import load_appliances_energy
    >>> X, y = load_appliances_energy(return_X_y=True, as_frame=True)
    >>> X.shape, y.name
    ((19734, 28), 'Appliances_t+1')
    >>> print(X.index[0], X.index[-1])
    2016-01-11 17:00:00 2016-05-27 17:50:00
    """
    table = _read("appliances_energy")
    time = pd.DatetimeIndex(pd.to_datetime(table["date"]), freq="10min", name="time")
    known = table.drop(columns="date").set_index(time)

    bunch = _forecasting_bunch("appliances_energy", known, "Appliances", horizon, as_frame)
    return (bunch.data, bunch.target) if return_X_y else bunch


def load_bike_sharing(*, horizon: int = 1, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load two years of hourly use of the bicycles of Washington, D.C. [Fanaee2014]_.

    A row of ``data`` contains the values known at that hour, including its own number of users.
    Its target is the number of users ``horizon`` hours later. The last ``horizon`` rows, which have
    no target, are dropped. Daily and weekly cycles are strong. 165 hours were never measured: the
    source repeats the previous hour without marking them.

    Parameters
    ----------
    horizon : int, default=1
        Number of steps from a row to its target, in hours. At least 1.

    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    as_frame : bool, default=False
        Return ``data`` as a DataFrame and ``target`` as a Series, both indexed by time.

    Returns
    -------
    bunch : Bunch
        data : ndarray or DataFrame of shape (17544 - horizon, 13)
            float64: ``holiday`` and ``workingday`` (0 or 1), the weather as ``weather_clear``,
            ``weather_mist``, ``weather_rain`` (0 or 1), ``temp`` and ``atemp`` (°C), ``hum`` (%),
            ``windspeed`` (km/h), ``users`` (count of the hour), ``month`` (1 to 12), ``hour`` (0
            to 23) and ``weekday`` (0 is Monday).
        target : ndarray or Series of shape (17544 - horizon,)
            ``users``, ``horizon`` hours later.
        index : DatetimeIndex of shape (17544 - horizon,)
            Hour of the row, at which the forecast is made.
        feature_names, target_names : list of str
            Names of the columns.
        frame : DataFrame of shape (17544 - horizon, 14), or None
            ``data`` and ``target`` side by side, with ``as_frame=True``.
        DESCR : str
            Source, citation, licence, units and pitfalls.
        filename : str
            Path of the data file.

    (data, target) : tuple
        With ``return_X_y=True``.

    Raises
    ------
    ValueError
        If ``horizon`` is not an integer of at least 1.

    References
    ----------
    .. [Fanaee2014] H. Fanaee-T and J. Gama, "Event labeling combining ensemble detectors and
       background knowledge", Progress in Artificial Intelligence 2 (2014) 113-127.
       https://doi.org/10.1007/s13748-013-0040-3. Data: https://doi.org/10.24432/C5W894, CC BY 4.0
       under the repository's current terms; cleaned by J. Amat Rodrigo,
       https://github.com/skforecast/skforecast-datasets, BSD-3-Clause.

    Examples
    --------
    >>> from sk_tsattn.datasets import load_bike_sharing
    >>> X, y = load_bike_sharing(return_X_y=True, as_frame=True)
    >>> X.shape, y.name
    ((17543, 13), 'users_t+1')
    >>> X["users"].iloc[:4].tolist(), y.iloc[:3].tolist()
    ([16.0, 40.0, 32.0, 13.0], [40.0, 32.0, 13.0])
    """
    table = _read("bike_sharing")
    time = pd.DatetimeIndex(pd.to_datetime(table["date_time"]), freq="h", name="time")
    weather = {
        f"weather_{kind}": (table["weather"] == kind).to_numpy(dtype=np.float64)
        for kind in ("clear", "mist", "rain")
    }
    known = pd.concat(
        [
            table[["holiday", "workingday"]],
            pd.DataFrame(weather),
            table.loc[:, "temp":],
        ],
        axis=1,
    ).set_index(time)

    bunch = _forecasting_bunch("bike_sharing", known, "users", horizon, as_frame)
    return (bunch.data, bunch.target) if return_X_y else bunch


def load_gas_furnace(*, horizon: int = 1, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the gas furnace series: gas input, and CO2 that responds 3 to 5 steps later [Box1970]_.

    A row of ``data`` contains the values known at that time, including its own CO2. Its target is
    the CO2 ``horizon`` steps of 9 seconds later. The last ``horizon`` of the 296 rows, which have
    no target, are dropped. The series is meant for examples; it is too short to compare models.

    Parameters
    ----------
    horizon : int, default=1
        Number of steps from a row to its target, in steps of 9 seconds. From 1 to 295.

    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    as_frame : bool, default=False
        Return ``data`` as a DataFrame and ``target`` as a Series, both indexed by time.

    Returns
    -------
    bunch : Bunch
        data : ndarray or DataFrame of shape (296 - horizon, 2)
            float64: ``InputGasRate`` (coded: 0.60 - 0.04 x the rate in cubic feet per minute) and
            ``CO2`` (% of the outlet gas).
        target : ndarray or Series of shape (296 - horizon,)
            ``CO2``, ``horizon`` steps later, in %.
        index : TimedeltaIndex of shape (296 - horizon,)
            Time of the row since the first one; the source gives no date.
        feature_names, target_names : list of str
            Names of the columns.
        frame : DataFrame of shape (296 - horizon, 3), or None
            ``data`` and ``target`` side by side, with ``as_frame=True``.
        DESCR : str
            Source, citation, licence, units and pitfalls.
        filename : str
            Path of the data file.

    (data, target) : tuple
        With ``return_X_y=True``.

    Raises
    ------
    ValueError
        If ``horizon`` is not an integer from 1 to 295.

    References
    ----------
    .. [Box1970] G. E. P. Box and G. M. Jenkins, "Time Series Analysis: Forecasting and Control",
       Holden-Day, 1970, series J; as in darts (https://github.com/unit8co/darts, Apache-2.0).

    Examples
    --------
    >>> from sk_tsattn.datasets import load_gas_furnace
    >>> furnace = load_gas_furnace()
    >>> furnace.data.shape, furnace.feature_names
    ((295, 2), ['InputGasRate', 'CO2'])
    >>> print(furnace.index[1])
    0 days 00:00:09
    """
    table = _read("gas_furnace").set_axis(["InputGasRate", "CO2"], axis=1)
    known = table.set_index(
        pd.timedelta_range(start="0s", periods=len(table), freq="9s", name="time")
    )

    bunch = _forecasting_bunch("gas_furnace", known, "CO2", horizon, as_frame)
    return (bunch.data, bunch.target) if return_X_y else bunch


def _read(name: str) -> pd.DataFrame:
    """Read a table of the package as published."""
    with (_DATA / f"{name}.csv.gz").open("rb") as file:
        return pd.read_csv(file, compression="gzip")


def _forecasting_bunch(
    name: str, known: pd.DataFrame, target_column: str, horizon: Any, as_frame: bool
) -> Bunch:
    """Pair each row of ``known`` with the value of ``target_column`` ``horizon`` rows later."""
    n_rows = len(known)
    if (
        not isinstance(horizon, (int, np.integer))
        or isinstance(horizon, bool)
        or not 1 <= horizon <= n_rows - 1
    ):
        raise ValueError(
            f"horizon must be an integer from 1 to {n_rows - 1}, the number of steps between a "
            f"row and its target. Got {horizon!r} instead; use 1 for the next step."
        )
    horizon = int(horizon)  # the negative of a small unsigned integer would overflow
    target_name = f"{target_column}_t+{horizon}"
    known = known.astype(np.float64)
    data = known.iloc[:-horizon]
    target = pd.Series(
        known[target_column].to_numpy(copy=True)[horizon:], index=data.index, name=target_name
    )
    return Bunch(
        data=data if as_frame else data.to_numpy(copy=True),
        target=target if as_frame else target.to_numpy(copy=True),
        frame=pd.concat([data, target], axis=1) if as_frame else None,
        feature_names=list(known.columns),
        target_names=[target_name],
        index=data.index,
        DESCR=(_DATA / f"{name}.rst").read_text(encoding="utf-8"),
        filename=str(_DATA / f"{name}.csv.gz"),
    )
