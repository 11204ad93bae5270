"""The window of the host: the panel of a module on the left, the views on the right, a menu for files."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QDockWidget,
    QFileDialog,
    QFrame,
    QMainWindow,
    QScrollArea,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from slicer_api_host import pythonqt
from slicer_api_host.slicer_application import NAME

# one large slice view and two small ones; Slicer's own arrangements of three slices hold a 3D view too
THREE_SLICES = 1001
_VIEW = """<item splitSize="{size}"><view class="vtkMRMLSliceNode" singletontag="{tag}">
<property name="orientation" action="default">{orientation}</property>
<property name="viewlabel" action="default">{label}</property>
<property name="viewcolor" action="default">{color}</property></view></item>"""
_ARRANGEMENT = (
    '<layout type="horizontal" split="true">'
    + _VIEW.format(size=600, tag="Red", orientation="Axial", label="R", color="#F34A33")
    + '<item splitSize="400"><layout type="vertical" split="true">'
    + _VIEW.format(size=500, tag="Yellow", orientation="Sagittal", label="Y", color="#EDD54C")
    + _VIEW.format(size=500, tag="Green", orientation="Coronal", label="G", color="#6EB04B")
    + "</layout></item></layout>"
)

SCENES = "Scenes (*.mrb *.mrml)"
VOLUMES = "Volumes (*.nrrd *.nhdr *.nii *.nii.gz *.mha *.mhd)"


class qSlicerModuleSelectorToolBar(QToolBar):
    """Which of the scripted modules is shown, as a list."""

    moduleSelected = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__("Module Selection", parent)
        self._combo = QComboBox()
        self.addWidget(self._combo)
        self._combo.activated.connect(lambda row: self.selectModule(self._combo.itemData(row)))

    def selectModule(self, name: str) -> None:
        """Show the module ``name``.

        Raises:
            RuntimeError: there is no such module, or it has no panel.
        """
        module = slicer.app.moduleManager().module(name)
        if module is None or module.widgetRepresentation() is None:
            raise RuntimeError(f"there is no module {name} that shows a panel")
        row = self._combo.findData(name)
        if row < 0:
            row = self._combo.count
            self._combo.addItem(module.title, name)
        self._combo.setCurrentIndex(row)
        self.moduleSelected.emit(name)

    selectedModule = Property(str, lambda self: self._combo.currentData or "", selectModule)


class qSlicerMainWindow(QMainWindow):
    """What ``slicer.util.mainWindow()`` is."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle(NAME)
        self._entered: Any = None
        self._selector = qSlicerModuleSelectorToolBar(self)
        self._selector.moduleSelected.connect(self._show_module)
        self.addToolBar(self._selector)
        self._panel = QWidget()
        QVBoxLayout(self._panel).setContentsMargins(0, 0, 0, 0)
        scrolled = QScrollArea()
        scrolled.setFrameShape(QFrame.Shape.NoFrame)
        scrolled.setWidgetResizable(True)
        scrolled.setWidget(self._panel)
        dock = QDockWidget("Module panel", self)
        dock.setObjectName("PanelDockWidget")
        dock.setFeatures(QDockWidget.DockWidgetFeature.NoDockWidgetFeatures)
        dock.setTitleBarWidget(QWidget())
        dock.setWidget(scrolled)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
        self.resizeDocks([dock], [480], Qt.Orientation.Horizontal)
        self._arrange_views()
        self._make_menu()
        self.statusBar()

    def moduleSelector(self) -> qSlicerModuleSelectorToolBar:
        return self._selector

    def _arrange_views(self) -> None:
        manager = slicer.app.layoutManager()
        manager.layoutLogic().GetLayoutNode().AddLayoutDescription(THREE_SLICES, _ARRANGEMENT)
        manager.setLayout(THREE_SLICES)
        self.setCentralWidget(manager.viewport())

    def _make_menu(self) -> None:
        menu = self.menuBar().addMenu("&File")
        menu.addAction("Load volume...", self._load_volume).setShortcut(QKeySequence("Ctrl+O"))
        menu.addAction("Load sample pair", self._load_sample)
        menu.addSeparator()
        menu.addAction("Load scene...", self._load_scene)
        menu.addAction("Save scene...", self._save_scene).setShortcut(QKeySequence("Ctrl+S"))
        menu.addAction("Close scene", lambda: slicer.mrmlScene.Clear(False)).setShortcut(QKeySequence("Ctrl+W"))
        menu.addSeparator()
        menu.addAction("Exit", self.close).setShortcut(QKeySequence("Ctrl+Q"))

    def _show_module(self, name: str) -> None:
        widget = slicer.app.moduleManager().module(name).widgetRepresentation()
        if widget is self._entered:
            return
        self._leave()
        self._panel.layout().addWidget(widget)
        widget.show()
        widget.enter()
        self._entered = widget

    def _leave(self) -> None:
        if self._entered is not None:
            self._entered.exit()
            self._entered.hide()
        self._entered = None

    def _load_volume(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load volume", slicer.app.defaultScenePath, VOLUMES)
        if path:
            self._try(f"Loaded {path}", lambda: slicer.util.loadVolume(path))

    def _load_scene(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load scene", slicer.app.defaultScenePath, SCENES)
        if path:
            self._try(f"Loaded {path}", lambda: slicer.util.loadScene(path, {"clear": True}))

    def _save_scene(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save scene", slicer.app.defaultScenePath, SCENES)
        if path:
            self._try(f"Saved {path}", lambda: slicer.util.saveScene(path))

    def _load_sample(self) -> None:
        self._try("Loaded the sample pair", _load_sample_pair)

    def _try(self, done: str, work: Any) -> None:
        """Do ``work`` under a waiting cursor, and say in the status bar that it is ``done``, or why it is not."""
        QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
        try:
            said = "Failed; the console says why." if work() is False else done
        except Exception as error:
            said = f"Failed: {error}"
        finally:
            QApplication.restoreOverrideCursor()
        slicer.util.showStatusMessage(said, 10000)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._leave()
        super().closeEvent(event)


def _load_sample_pair() -> None:
    """Load what the module SpatialDiffusion offers as its sample, and show the moving volume over the fixed one."""
    from SampleData import SampleDataLogic

    source = SampleDataLogic().sourceForSampleName("SpatialDiffusionPair")
    if source is None:
        raise RuntimeError("the module SpatialDiffusion, which makes it, is not loaded")
    nodes = source.customDownloader(source)
    if not nodes:
        raise RuntimeError("it could not be made")
    fixed, moving = nodes
    slicer.util.setSliceViewerLayers(background=fixed, foreground=moving, foregroundOpacity=0.5, fit=True)


pythonqt.CPP_CLASSES.update({qSlicerMainWindow, qSlicerModuleSelectorToolBar})
