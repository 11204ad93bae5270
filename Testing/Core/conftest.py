"""What all tests of the core share."""

import importlib.util

import hypothesis
import pytest
import torch

collect_ignore = [] if importlib.util.find_spec("triton") else ["test_triton_kernels.py"]  # it is there for Linux alone


def pytest_configure(config):
    config.addinivalue_line("markers", "gpu: needs a CUDA device")
    config.addinivalue_line("markers", "slow: takes more than some seconds")
    config.addinivalue_line("markers", "slicer: needs the classes of 3D Slicer")
    hypothesis.settings.register_profile("core", max_examples=30, deadline=None, print_blob=True)
    hypothesis.settings.load_profile("core")


@pytest.fixture
def threads():
    """Return a function that sets the number of torch threads; the old number comes back after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
