"""The attention LSTM for scikit-learn.

Axes are always ``(samples, time, features)``, oldest step first.
"""

from ._display import AttentionDisplay
from ._learning_curve import LearningCurve
from ._regressor import AttentionLSTMRegressor
from ._windows import make_windows

__version__ = "0.1.0"

__all__ = ["AttentionDisplay", "AttentionLSTMRegressor", "LearningCurve", "make_windows"]
