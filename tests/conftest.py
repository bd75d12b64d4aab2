"""Configuration of all tests: fixed seeds, one thread, reproducible property tests."""

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
    """Make tests independent of each other and of the number of cores."""
    if hasattr(request.module, "rng"):  # the generator of the test data of a file
        request.module.rng = np.random.default_rng(1)
    torch.set_num_threads(1)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
