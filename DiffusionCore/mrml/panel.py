"""What the panels of both modules share: a form that is bound to the parameters of the scene while it is shown."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import slicer
import vtk
from slicer.util import VTKObservationMixin


class ParameterPanel(VTKObservationMixin):
    """A form out of ``UI/<name>.ui``, bound to ``module.logic.getParameterNode()`` from ``enter`` to ``exit``.

    Closing the scene unbinds it, a new or loaded scene brings new parameters. A panel of its own fills in ``build``,
    ``on_change`` and ``on_bind``.

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
        self._entered = False
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
    def on_change(self) -> None:
        """Enable what the parameters allow, and say what is missing."""

    def on_bind(self) -> None:
        """Take note that ``parameters`` are others now, or none."""

    def enter(self) -> None:
        """Bind the form; the module is about to be shown."""
        self._entered = True
        if self.parameters is None:
            self._bind(self.logic.getParameterNode())
        else:
            self.on_change()

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

    def say(self, text: str) -> None:
        """Show ``text`` in the status line."""
        self.ui.statusLabel.setText(text)

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
            self.on_change()

    def _on_modified(self, *_: Any) -> None:
        self.on_change()

    def _on_start_close(self, *_: Any) -> None:
        self._bind(None)

    def _on_new_scene(self, *_: Any) -> None:
        if self._entered:
            self._bind(None)
            self._bind(self.logic.getParameterNode())
