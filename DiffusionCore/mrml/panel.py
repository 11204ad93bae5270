"""What the panels of both modules share: a form that is bound to the parameters of the scene while it is shown."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import slicer
import vtk
from slicer.util import VTKObservationMixin


class ParameterPanel(VTKObservationMixin):
    """A form out of ``UI/<name>.ui``, bound to ``module.logic.getParameterNode()`` from ``enter`` to ``exit``.

    Closing the scene unbinds it, a new or loaded scene brings new parameters. A panel of its own fills in ``build``,
    ``show_all`` and ``on_bind``.

    Attributes:
        name: of the module.
        ui: the widgets of the form by their names.
        form: the form itself.
        parameters: the wrapped parameter node; None while nothing is bound.
        running: a computation is under way; the binding then outlives ``exit``.
    """

    def __init__(self, module: Any, name: str) -> None:
        super().__init__()
        self.name, self.logic = name, module.logic
        self.parameters: Any = None
        self.running = False
        self._entered = self._busy = False
        self.form = slicer.util.loadUI(module.resourcePath(f"UI/{name}.ui"))
        module.layout.addWidget(self.form)
        self.ui = slicer.util.childWidgetVariables(self.form)
        self.form.setMRMLScene(slicer.mrmlScene)
        self.build()
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._on_start_close)
        self.addObserver(scene, scene.EndCloseEvent, self._on_new_scene)
        self.addObserver(scene, scene.EndImportEvent, self._on_new_scene)
        self.enter()

    def build(self) -> None:
        """Complete the form by what its file cannot say; nothing is bound yet."""

    @abstractmethod
    def show_all(self) -> None:
        """Let every widget show what holds now; something is bound."""

    def refresh(self) -> None:
        """Show what holds now, unless somebody is changing it: then he does in the end."""
        if self.parameters is not None and not self._busy:
            with self.at_once():
                self.show_all()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within the block, what is changed does not lead to a refresh: only what there is at its end is shown."""
        former, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = former

    def set_value(self, name: str, value: Any) -> None:
        """Set a parameter, if there are any."""
        if self.parameters is not None:
            setattr(self.parameters, name, value)

    def restore(self, names: Sequence[str]) -> None:
        """Set the parameters ``names`` back to their defaults."""
        for name in names:
            self.parameters.setValue(name, self.parameters.default(name).value)

    def on_bind(self) -> None:
        """Take note that ``parameters`` are others now, or none."""

    def enter(self) -> None:
        """Bind the form; the module is about to be shown."""
        self._entered = True
        if self.parameters is None:
            self._bind(self.logic.getParameterNode())
        else:
            self.refresh()

    def exit(self) -> None:
        """Unbind the form; another module is about to be shown."""
        self._entered = False
        if not self.running:
            self._bind(None)

    def end_run(self) -> None:
        """End what is under way; nothing is here."""

    def cleanup(self) -> None:
        """Let go of the scene; the widgets are about to be destroyed."""
        self._bind(None)
        self.removeObservers()

    def _bind(self, parameters: Any) -> None:
        if self.parameters is not None:
            self.parameters.disconnectGui(self._connection)
            self.removeObserver(self.parameters, vtk.vtkCommand.ModifiedEvent, self._on_modified)
        self.parameters = parameters
        if parameters is not None:
            self._connection = parameters.connectGui(self.ui)
            self.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self._on_modified)
        self.on_bind()
        if parameters is not None:
            self.refresh()

    def _on_modified(self, *_: Any) -> None:
        self.refresh()

    def _on_start_close(self, *_: Any) -> None:
        self._bind(None)

    def _on_new_scene(self, *_: Any) -> None:
        if self._entered:
            self._bind(None)
            self._bind(self.logic.getParameterNode())
