"""How widgets that are made of other widgets are put together."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QHBoxLayout, QWidget


def parent_among(arguments: tuple[Any, ...]) -> QWidget | None:
    """Return the parent out of the arguments of a constructor that has several forms."""
    return next((argument for argument in arguments if isinstance(argument, QWidget)), None)


def text_among(arguments: tuple[Any, ...]) -> str:
    return next((argument for argument in arguments if isinstance(argument, str)), "")


def row_of(owner: QWidget, *parts: QWidget) -> None:
    """Lay ``parts`` into ``owner`` side by side, without margins."""
    layout = QHBoxLayout(owner)
    layout.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        layout.addWidget(part)
