"""That conformance is measured at all: the runner, over our own Python. ``test_conformance_with_slicer.py`` uses it."""

from __future__ import annotations

import os
from textwrap import dedent

import pytest
from conformance import OWN_PYTHON, outcomes

TESTS = dedent("""
    import unittest
    import slicer
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    @parameterNodeWrapper
    class Parameters:
        count: int = 3

    class Tests(unittest.TestCase):
        def test_passes(self):
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
            self.assertEqual(Parameters(node).count, 3)
        def test_fails(self):
            self.assertEqual(slicer.parameterNodeWrapper.__file__, "here")
        def test_breaks(self):
            slicer.nothingOfThisName
        @unittest.skip("not today")
        def test_is_skipped(self):
            pass
        @unittest.expectedFailure
        def test_fails_as_expected(self):
            self.fail()
        @unittest.expectedFailure
        def test_passes_unexpectedly(self):
            pass
""")


def test_the_runner_reports_every_test_over_the_python_it_is_given(tmp_path):
    (tmp_path / "test_some.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "test_broken.py").write_text("import nothingOfThisName", encoding="utf-8")
    found = outcomes(OWN_PYTHON, "-c", os.devnull, "--continue-on-collection-errors", str(tmp_path))
    by_name = {name.rpartition("::")[2].rpartition("/")[2]: outcome for name, outcome in found.items()}
    assert {name for name, outcome in by_name.items() if outcome == "passed"} == {
        "test_passes",
        "test_fails_as_expected",
    }
    assert str(OWN_PYTHON / "parameterNodeWrapper") in by_name["test_fails"]
    assert "AttributeError" in by_name["test_breaks"]
    assert "not today" in by_name["test_is_skipped"]
    assert by_name["test_passes_unexpectedly"] != "passed"
    assert "nothingOfThisName" in by_name["test_broken.py"]


def test_a_folder_that_is_no_python_of_slicer_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match=r"ScriptedLoadableModule\.py"):
        outcomes(tmp_path, str(tmp_path))
