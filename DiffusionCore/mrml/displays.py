"""How a volume looks: window, level, threshold and colors, without ever going over its values.

Copying a display node, or making one by default, looks through the image for a window: a second at 512x512x300.
"""

from __future__ import annotations

from typing import Any

_PLAIN = ("Visibility", "Interpolate")
_SCALAR = ("LowerThreshold", "UpperThreshold", "ApplyThreshold", "AutoThreshold", "AutoWindowLevel")

Look = dict[str, Any]


def look_of(display: Any) -> Look:
    """Return how a volume display node shows its volume."""
    look = {name: getattr(display, f"Get{name}")() for name in _names(display)}
    look["ColorNodeID"] = display.GetColorNodeID()
    if _is_scalar(display):
        look["WindowLevel"] = (display.GetWindow(), display.GetLevel())
    return look


def apply_look(look: Look, display: Any) -> None:
    """Let ``display`` show its volume as ``look`` says; what it shows so already is not touched."""
    own = look_of(display)
    changed = {name: value for name, value in look.items() if value != own.get(name)}
    if "WindowLevel" in changed:
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(*changed.pop("WindowLevel"))
    if "ColorNodeID" in changed:
        display.SetAndObserveColorNodeID(changed.pop("ColorNodeID"))
    for name in changed:
        getattr(display, f"Set{name}")(look[name])
    if "AutoWindowLevel" in look and bool(display.GetAutoWindowLevel()) != bool(look["AutoWindowLevel"]):
        display.SetAutoWindowLevel(look["AutoWindowLevel"])


def add_display(volume: Any, class_name: str, look: Look) -> None:
    """Give ``volume``, which has none, a display of ``class_name`` with a fixed window."""
    display = volume.GetScene().CreateNodeByClass(class_name)
    display.UnRegister(None)
    if _is_scalar(display):
        display.SetAutoWindowLevel(False)
        look = {**look, "AutoWindowLevel": False}
    volume.GetScene().AddNode(display)
    apply_look(look, display)
    volume.SetAndObserveDisplayNodeID(display.GetID())


def _names(display: Any) -> tuple[str, ...]:
    return (*_PLAIN, *_SCALAR) if _is_scalar(display) else _PLAIN[:1]


def _is_scalar(display: Any) -> bool:
    return bool(display.IsA("vtkMRMLScalarVolumeDisplayNode"))
