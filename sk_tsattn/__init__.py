"""The attention LSTM for scikit-learn.

Axes are always ``(samples, time, features)``, oldest step first.
"""

from ._backtest._backtest import backtest
from ._classifier import AttentionLSTMClassifier
from ._data._forecasting import make_rows, make_windows
from ._plot._attention_display import AttentionDisplay
from ._plot._backtest_display import BacktestDisplay
from ._plot._faithfulness_display import FaithfulnessDisplay
from ._plot._importance_display import ImportanceDisplay
from ._plot._loss_curve_display import LossCurveDisplay
from ._plot._path_display import PathDisplay
from ._regressor import AttentionLSTMRegressor
from ._version import __version__ as __version__

__all__ = [
    "AttentionDisplay",
    "AttentionLSTMClassifier",
    "AttentionLSTMRegressor",
    "BacktestDisplay",
    "FaithfulnessDisplay",
    "ImportanceDisplay",
    "LossCurveDisplay",
    "PathDisplay",
    "backtest",
    "make_rows",
    "make_windows",
]
