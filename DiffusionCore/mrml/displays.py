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
    for name in _names(display):
        if name in look and look[name] != own[name] and name != "AutoWindowLevel":
            getattr(display, f"Set{name}")(look[name])
    if look["ColorNodeID"] != own["ColorNodeID"]:
        display.SetAndObserveColorNodeID(look["ColorNodeID"])
    if "WindowLevel" in look and _is_scalar(display):
        if look["WindowLevel"] != own["WindowLevel"]:
            display.SetAutoWindowLevel(False)
            display.SetWindowLevel(*look["WindowLevel"])
        if bool(look["AutoWindowLevel"]) != bool(display.GetAutoWindowLevel()):
            display.SetAutoWindowLevel(look["AutoWindowLevel"])


def add_display_like(display: Any, volume: Any) -> None:
    """Give ``volume``, which has none, a display of its own that looks like ``display`` does now."""
    own = display.CreateNodeInstance()
    look = look_of(display)
    if _is_scalar(own):
        own.SetAutoWindowLevel(False)
        look["AutoWindowLevel"] = False
    volume.GetScene().AddNode(own)
    apply_look(look, own)
    volume.SetAndObserveDisplayNodeID(own.GetID())


def _names(display: Any) -> tuple[str, ...]:
    return (*_PLAIN, *_SCALAR) if _is_scalar(display) else _PLAIN[:1]


def _is_scalar(display: Any) -> bool:
    return bool(display.IsA("vtkMRMLScalarVolumeDisplayNode"))
