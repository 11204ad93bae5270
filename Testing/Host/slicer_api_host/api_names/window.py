"""The main window (github.com/Slicer/Slicer: Base/QTApp, Base/QTGUI)."""

from slicer_api_host.api_names import Real

NAMES = {
    "qSlicerMainWindow": Real("QMainWindow", "moduleSelector pythonConsole errorLogDockWidget initialWindowShown"),
    "qSlicerModuleSelectorToolBar": Real("QToolBar", "selectedModule selectModule moduleSelected setModuleManager"),
}
