"""No class of the host offers a name that the class of Slicer lacks."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
import slicer_api_host
from PySide6 import QtCore, QtGui, QtWidgets
from slicer_api_host import api_names, pythonqt
from slicer_api_host.api_names import Real
from slicer_api_host.declare import Signal

TABLES = api_names.tables()


def _import_everything() -> None:
    import ctk  # noqa: F401

    for module in pkgutil.walk_packages(slicer_api_host.__path__, "slicer_api_host."):
        importlib.import_module(module.name)


def _qt_class(name: str) -> type | None:
    return next((vars(m)[name] for m in (QtCore, QtGui, QtWidgets) if name in vars(m)), None)


def real_names(name: str, tables: dict[str, Real]) -> set[str]:
    """Return the names that the class ``name`` of Slicer or Qt has, with those it inherits."""
    if name not in tables:
        of_qt = _qt_class(name)
        assert of_qt is not None, f"{name} is neither a class of Qt nor in a table of api_names"
        return set(dir(of_qt))
    return set(tables[name].names.split()) | real_names(tables[name].base, tables)


def host_only_names(host_class: type, tables: dict[str, Real]) -> set[str]:
    offered = {name for name in dir(host_class) if not name.startswith("_")}
    return offered - real_names(host_class.__name__, tables)


_import_everything()
HOST_CLASSES = sorted(
    (of for of in pythonqt.CPP_CLASSES if of.__module__.startswith("slicer_api_host.")), key=lambda of: of.__name__
)


@pytest.mark.parametrize("host_class", HOST_CLASSES, ids=lambda of: of.__name__)
def test_a_host_class_offers_only_names_that_slicer_has(host_class):
    assert host_only_names(host_class, TABLES) == set()


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_class_of_the_tables_descends_from_a_class_of_qt(name):
    assert "objectName" in real_names(name, TABLES)


@pytest.mark.parametrize(
    "member",
    [
        {"setMaximum": lambda self, value: None},
        {"maximumChanged": Signal(float)},
        {"extent": QtCore.Property(int, lambda self: 0)},
        {"FACTOR": 2},
    ],
    ids=lambda member: next(iter(member)),
)
def test_the_gate_sees_a_name_of_the_host_alone(member):
    invented = type("ctkCheckBox", (QtWidgets.QCheckBox,), dict(member))
    assert host_only_names(invented, TABLES) == set(member)


def test_the_gate_sees_names_of_a_base_that_the_real_class_does_not_have():
    framed = type("ctkSliderWidget", (QtWidgets.QFrame,), {})
    assert "frameShape" in host_only_names(framed, TABLES)


def test_the_gate_refuses_a_class_that_no_table_knows():
    unknown = type("ctkInventedWidget", (QtWidgets.QWidget,), {})
    with pytest.raises(AssertionError, match="ctkInventedWidget is neither"):
        host_only_names(unknown, TABLES)
