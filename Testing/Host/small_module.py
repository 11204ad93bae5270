"""A small scripted module for tests: a file, loaded into the host, that records what is called."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import slicer
from slicer_api_host import modules

SOURCE = """
import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import *

CALLS = []

class {name}(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("A module")
        parent.categories = ["Testing"]

class {name}Widget(ScriptedLoadableModuleWidget):
    def setup(self):
        super().setup()
        self.logic = {name}Logic()
        CALLS.append("setup")
    def enter(self):
        CALLS.append("enter")
    def exit(self):
        CALLS.append("exit")
    def cleanup(self):
        CALLS.append("cleanup")

class {name}Logic(ScriptedLoadableModuleLogic):
    pass

class {name}Test(ScriptedLoadableModuleTest):
    outcome = True
    def setUp(self):
        CALLS.append("setUp")
    def tearDown(self):
        CALLS.append("tearDown")
    def test_first(self):
        CALLS.append("first")
        self.delayDisplay("first")
    def test_second(self):
        CALLS.append("second")
        self.assertTrue(self.outcome)
"""


class SmallModule:
    """A module of this ``name`` in ``folder``, loaded.

    Attributes:
        file: its source.
        module: what ``slicer.modules.<name>`` is.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.file = name, folder / name / f"{name}.py"
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(SOURCE.format(name=name), encoding="utf-8")
        self.module = modules.load_module(self.file)

    @property
    def python(self) -> Any:
        """What the source is at this time: reloading makes it anew."""
        return sys.modules[self.name]

    @property
    def calls(self) -> list[str]:
        return self.python.CALLS

    @property
    def widget(self) -> Any:
        return self.module.widgetRepresentation().self()

    def part(self, suffix: str) -> type:
        """Return the class Widget, Logic or Test of the module."""
        return getattr(self.python, self.name + suffix)


@contextmanager
def loaded_module(folder: Path, name: str) -> Iterator[SmallModule]:
    """Give a small module, which is unloaded at the end if it is loaded still."""
    module = SmallModule(folder, name)
    try:
        yield module
    finally:
        if slicer.app.moduleManager().module(name) is not None:
            modules.unload_module(name)
