"""The host under Slicer's own Python, where SLICER_SOURCE_DIR names a source tree of Slicer.

Two laws: Slicer's own tests pass over the host, so the host behaves as the application does; and our tests of our
Python pass over Slicer's, so ours behaves as Slicer's does.
"""

from __future__ import annotations

import os

import pytest
from conformance import HOST, SLICER_SOURCE, outcomes, slicer_source

SLICER_TESTS = {
    "parameter_node_wrapper": 33,
    "parameter_pack": 18,
    "parameter_node_wrapper_gui_creation": 11,
    "parameter_node_wrapper_guis": 33,
    "util_VTKObservationMixin": 13,
    "util_childWidgetVariables": 1,
    "util_getNodes": 4,
}
NOT_BUILT = {
    "test_qMRMLSubjectHierarchyComboBox": "the host has no widgets of the subject hierarchy",
    "test_qMRMLSubjectHierarchyTreeViewToNode": "the host has no widgets of the subject hierarchy",
    "test_the_panel_has_a_button_for_every_sample": "the host has no ctkFlowLayout",
}
OUR_TESTS = ("parameter_node", "parameter_form", "scripted_module", "sample_data", "our_modules")
# an object of Slicer's wrapper that refused its node complains once more when it goes
AS_SLICER_DOES = ("-W", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def slicer_python():
    source = slicer_source()
    assert source is not None, f"{SLICER_SOURCE} must name a source tree of Slicer"
    folder = source / "Base" / "Python" / "slicer"
    assert folder.is_dir(), f"{SLICER_SOURCE} names {source}, where there is no Base/Python/slicer"
    return folder


def failures(found):
    return {name.rpartition("::")[2]: text for name, text in found.items() if text != "passed"}


def listed(failed):
    return "\n\n".join(f"{name}:\n{text[-800:]}" for name, text in failed.items() if name not in NOT_BUILT)


def test_slicers_own_tests_pass_over_the_host(slicer_python):
    tests = slicer_python / "tests"
    files = [str(tests / f"test_slicer_{name}.py") for name in SLICER_TESTS]
    found = outcomes(slicer_python, "-c", os.devnull, "--rootdir", str(tests), "--import-mode=importlib", *files)
    failed = failures(found)
    assert len(found) >= sum(SLICER_TESTS.values())
    assert failed.keys() <= NOT_BUILT.keys(), listed(failed)


@pytest.mark.parametrize("name", OUR_TESTS)
def test_our_tests_pass_over_slicers_python(slicer_python, name):
    found = outcomes(slicer_python, *AS_SLICER_DOES, str(HOST / f"test_{name}.py"))
    failed = failures(found)
    assert len(found) > len(failed)
    assert failed.keys() <= NOT_BUILT.keys(), listed(failed)


def test_the_tests_of_our_panels_pass_over_slicers_python(slicer_python):
    found = outcomes(slicer_python, *AS_SLICER_DOES, str(HOST.parent / "Panel"))
    failed = failures(found)
    assert len(found) > len(failed)
    assert not failed, listed(failed)
