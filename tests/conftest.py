"""What all tests share: the same seeds, one thread, and property tests that repeat themselves."""

import hypothesis
import numpy as np
import pytest
import torch

hypothesis.settings.register_profile(
    "repeatable", derandomize=True, deadline=None, database=None, max_examples=60
)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _seeds_and_threads(request):
    """Let no test depend on those before it, or on the number of cores."""
    if hasattr(request.module, "rng"):  # what a file's tests draw their data from
        request.module.rng = np.random.default_rng(1)
    torch.set_num_threads(1)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
