"""The host, without a screen, for each of its own tests."""

from __future__ import annotations

import os
import sys

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# it needs a source tree of Slicer; without one it is not collected, as a skipped test would look like a passed one
collect_ignore = [] if os.environ.get("SLICER_SOURCE_DIR") else ["test_conformance_with_slicer.py"]


@pytest.fixture
def application():
    """Give ``slicer.app``; there is one per process."""
    from slicer_api_host.application import start

    return start()


@pytest.fixture
def scene(application):
    """Give the scene of the application, empty; it is closed afterwards, as a user closes it: singleton nodes stay."""
    application.mrmlScene().Clear(False)
    yield application.mrmlScene()
    application.mrmlScene().Clear(False)


@pytest.fixture
def qt(application):
    import qt

    return qt


@pytest.fixture
def ctk(qt):
    import ctk

    return ctk


@pytest.fixture
def slot_errors(monkeypatch):
    """Give the exceptions that were raised in slots and event handlers, which Qt only prints."""
    errors = []
    monkeypatch.setattr(sys, "excepthook", lambda _type, error, _trace: errors.append(error))
    return errors
