"""The Python of the Slicer application that slicer-core lacks, as far as our module files touch it."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from types import ModuleType

import slicer

ROOT = Path(__file__).resolve().parents[2]


class ScriptedLoadableModule:
    def __init__(self, parent):
        self.parent = parent


class ScriptedLoadableModuleTest(unittest.TestCase):
    def delayDisplay(self, text):  # noqa: N802
        self.said = text


def stand_in(monkeypatch, scene):
    """Offer the application's Python modules, our own modules, and ``scene`` as its scene."""
    offered = {
        "i18n": {"tr": lambda text: text, "translate": lambda _context, text: text},
        "parameterNodeWrapper": {
            "parameterNodeWrapper": lambda wrapped: wrapped,
            "WithinRange": lambda *limits: limits,
        },
        "ScriptedLoadableModule": {
            "ScriptedLoadableModule": ScriptedLoadableModule,
            "ScriptedLoadableModuleWidget": type("ScriptedLoadableModuleWidget", (), {}),
            "ScriptedLoadableModuleLogic": type("ScriptedLoadableModuleLogic", (), {}),
            "ScriptedLoadableModuleTest": ScriptedLoadableModuleTest,
        },
    }
    for name, members in offered.items():
        module = ModuleType(f"slicer.{name}")
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in ("SpatialDiffusion", "DeformationSynthesis"):
        monkeypatch.syspath_prepend(str(ROOT / name))
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)
