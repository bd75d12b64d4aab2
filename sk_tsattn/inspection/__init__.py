"""Inspection of fitted estimators: what their predictions rest on, and whether attention shows it.

All functions take any fitted estimator that predicts windows, also inside a ``Pipeline`` or a
``GridSearchCV``. They return a Bunch of arrays and DataFrames.
"""

from ..attention._uniform import uniform_attention
from ._attention_importance import attention_importance
from ._faithfulness import faithfulness
from ._permutation_importance import permutation_importance
from ._refit_agreement import refit_agreement
from ._uniform_attention_check import uniform_attention_check

__all__ = [
    "attention_importance",
    "faithfulness",
    "permutation_importance",
    "refit_agreement",
    "uniform_attention",
    "uniform_attention_check",
]
