"""The module ``qt`` of Slicer's Python: Qt by PythonQt's rules, here over PySide6."""

# ruff: noqa: F403, I001
from PySide6.QtCore import *
from PySide6.QtGui import *
from PySide6.QtWidgets import *
from PySide6.QtCore import Qt, Signal, Slot  # noqa: F401

from slicer_api_host import pythonqt
from slicer_api_host.ui_loader import QUiLoader  # noqa: F401

pythonqt.install()
