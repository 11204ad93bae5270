"""The self-tests of both modules, as Slicer's "Reload and Test" runs them, over a real scene."""

from __future__ import annotations

import importlib
import unittest
from types import SimpleNamespace

import pytest
from stand_ins import stand_in

from DiffusionCore.registration import AffineSettings

MODULES = ("SpatialDiffusion", "DeformationSynthesis")


@pytest.fixture(params=MODULES)
def module(request, scene, monkeypatch):
    stand_in(monkeypatch, scene)
    module = importlib.import_module(request.param)
    if request.param == "SpatialDiffusion":  # without the network: what is tested is the module
        logic = module.SpatialDiffusionLogic
        register = logic.register
        classical = AffineSettings(model=None)
        monkeypatch.setattr(logic, "register", lambda *a, **k: register(*a, **{"settings": classical, **k}))
    return module


def test_the_module_introduces_itself(module):
    parent = SimpleNamespace()
    getattr(module, module.__name__)(parent)
    assert parent.title.replace(" ", "") == module.__name__
    assert parent.categories == ["Registration"]
    assert parent.helpText
    assert parent.contributors


def test_run_test_runs_every_test_once(module):
    test_class = getattr(module, f"{module.__name__}Test")
    names = unittest.TestLoader().getTestCaseNames(test_class)
    ran = []
    for name in names:
        setattr(test_class, name, lambda _self, name=name: ran.append(name))
    test_class("runTest").runTest()
    assert sorted(ran) == names


def test_the_self_tests_pass(module):
    result = unittest.TestResult()
    suite = unittest.TestLoader().loadTestsFromTestCase(getattr(module, f"{module.__name__}Test"))
    suite.run(result)
    assert result.testsRun >= 2
    assert [text for _, text in result.errors + result.failures] == []
