"""How ``slicer_add_python_unittest`` of CMake runs a test script in the application."""

from __future__ import annotations

import sys
import unittest


def exitSuccess() -> None:
    """End a test that passed."""


def exitFailure(message: str = "") -> None:
    """End a test that failed.

    Raises:
        Exception: always.
    """
    raise Exception(message)


def runUnitTest(path: str | list[str], testname: str) -> None:
    """Run the test cases of the script ``testname`` that lies in a folder of ``path``.

    Every method whose name starts with ``test`` is run; ``runTest`` is run only by a test case that has no such method.

    Raises:
        Exception: a test failed.
    """
    sys.path.extend([path] if isinstance(path, str) else path)
    suite = unittest.TestLoader().loadTestsFromName(testname)
    if not unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful():
        exitFailure()
