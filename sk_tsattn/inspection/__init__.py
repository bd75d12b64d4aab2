"""What a fitted estimator of windows has learnt, and whether its attention can be believed.

All functions take any fitted estimator that predicts windows, inside ``Pipeline`` and
``GridSearchCV`` too. Numbers come as a Bunch of arrays and DataFrames.
"""

from ..attention._uniform import uniform_attention
from ._faithfulness import faithfulness
from ._permutation_importance import permutation_importance
from ._refit_agreement import refit_agreement
from ._uniform_attention_check import uniform_attention_check

__all__ = [
    "faithfulness",
    "permutation_importance",
    "refit_agreement",
    "uniform_attention",
    "uniform_attention_check",
]
