"""What all tests share: a Python that starts workers at once."""

from __future__ import annotations

import contextlib
import os

import pytest
from warm_python import WarmPython

with contextlib.suppress(ImportError):
    # torch loads it sooner or later, and it crashes where a slice view has drawn by the LLVM of Mesa before
    import triton  # noqa: F401


@pytest.fixture(scope="session", autouse=True)
def prepared_images(tmp_path_factory):
    """Keep the images that are prepared for trainings where nobody else has any."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPATIALDIFFUSION_CACHE", str(tmp_path_factory.mktemp("prepared")))
        yield


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory):
    """Give the WarmPython of this session."""
    python = WarmPython(tmp_path_factory.mktemp("warm"))
    yield python
    python.close()


@pytest.fixture
def warm_workers(warm_python, monkeypatch):
    """Let PythonSlicer, by which workers are started, be a Python that has loaded torch already."""
    monkeypatch.setenv("PATH", f"{warm_python.program.parent}{os.pathsep}{os.environ['PATH']}")
