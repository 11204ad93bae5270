"""Makes the nested widgets that a layout description of vtkMRMLLayoutNode asks for."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QBoxLayout, QGridLayout, QSplitter, QTabWidget, QWidget

Element = ElementTree.Element
Placed = tuple[Element, QWidget]  # the element that says where, and what is put there
FindViews = Callable[[Element, bool], list[QWidget]]  # the widgets that an element `view` means: one, or all it may


def build_layout(description: str, find_views: FindViews) -> QWidget:
    """Return the widgets that ``description`` asks for; the views in it are moved into them.

    Of a description with several viewports only the first, that of the main window, is made.

    Raises:
        ValueError: the description is no XML or holds what no layout has.
    """
    try:
        root = ElementTree.fromstring(description)
    except ElementTree.ParseError as error:
        raise ValueError(f"the layout description cannot be read: {error}") from error
    first = root[0] if root.tag == "viewports" else root
    return _box(_placed([first], find_views), is_row=True) if first.tag == "view" else _build(first, find_views)


def _placed(items: Iterable[Element], find_views: FindViews) -> list[Placed]:
    placed = []
    for item in items:
        content = item if item.tag == "view" else item[0]
        is_multiple = item.get("multiple") == "true"
        widgets = find_views(content, is_multiple) if content.tag == "view" else [_build(content, find_views)]
        placed += [(item, widget) for widget in widgets]
    return placed


def _build(layout: Element, find_views: FindViews) -> QWidget:
    if layout.tag != "layout":
        raise ValueError(f"a layout description holds '{layout.tag}', which is neither a layout nor a view")
    kind, items = layout.get("type", "horizontal"), _placed(layout, find_views)
    if kind == "grid":
        return _grid(items)
    if kind == "tab":
        return _tabs(items)
    if kind not in ("horizontal", "vertical"):
        raise ValueError(f"'{kind}' is no type of a layout")
    is_row = kind == "horizontal"
    return _splitter(items, is_row) if layout.get("split") == "true" else _box(items, is_row)


def _box(items: list[Placed], is_row: bool) -> QWidget:
    container = QWidget()
    box = QBoxLayout(QBoxLayout.Direction.LeftToRight if is_row else QBoxLayout.Direction.TopToBottom, container)
    box.setContentsMargins(0, 0, 0, 0)
    box.setSpacing(1)
    for _, widget in items:
        box.addWidget(widget, 1)
    return container


def _splitter(items: list[Placed], is_row: bool) -> QWidget:
    splitter = QSplitter(Qt.Orientation.Horizontal if is_row else Qt.Orientation.Vertical)
    for _, widget in items:
        splitter.addWidget(widget)
    sizes = [int(item.get("splitSize", "0")) for item, _ in items]
    if any(sizes):
        splitter.setSizes(sizes)
    return splitter


def _grid(items: list[Placed]) -> QWidget:
    container = QWidget()
    grid = QGridLayout(container)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setSpacing(1)
    for item, widget in items:
        row, column = int(item.get("row", "0")), int(item.get("column", "0"))
        grid.addWidget(widget, row, column, int(item.get("rowspan", "1")), int(item.get("colspan", "1")))
    return container


def _tabs(items: list[Placed]) -> QWidget:
    tabs = QTabWidget()
    for item, widget in items:
        tabs.addTab(widget, item.get("name") or widget.windowTitle)
    return tabs
