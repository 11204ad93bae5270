"""The self-tests of both modules, as Slicer's "Reload and Test" runs them, with a real worker."""

from __future__ import annotations

import sys
import unittest

import pytest

MODULES = ("SpatialDiffusion", "DeformationSynthesis")


@pytest.fixture(params=MODULES)
def module(request, panel_of):
    panel_of(request.param)
    return sys.modules[request.param]


def test_the_module_introduces_itself(module):
    import slicer

    introduced = getattr(slicer.modules, module.__name__.lower())
    assert introduced.title.replace(" ", "") == module.__name__
    assert list(introduced.categories) == ["Registration"]
    assert introduced.helpText
    assert introduced.contributors


def test_run_test_runs_every_test_once(module, monkeypatch):
    test_class = getattr(module, f"{module.__name__}Test")
    names = unittest.TestLoader().getTestCaseNames(test_class)
    ran = []
    for name in names:
        monkeypatch.setattr(test_class, name, lambda _self, name=name: ran.append(name))
    test_class("runTest").runTest()
    assert sorted(ran) == sorted(names)


def test_each_self_test_passes_by_itself(module):
    result = unittest.TestResult()
    suite = unittest.TestLoader().loadTestsFromTestCase(getattr(module, f"{module.__name__}Test"))
    suite.run(result)
    assert result.testsRun >= 2
    assert [text for _, text in result.errors + result.failures] == []


def test_reload_and_test_passes(panel_of, kept_modules, monkeypatch, app):
    import slicer

    app.userSettings().setValue("Developer/SelfTestDisplayMessageDelay", 1)
    widget = panel_of("SpatialDiffusion")
    problems = []
    monkeypatch.setattr(slicer.util, "errorDisplay", lambda *arguments, **_: problems.append(arguments))
    widget.self().onReloadAndTest()
    assert problems == []
