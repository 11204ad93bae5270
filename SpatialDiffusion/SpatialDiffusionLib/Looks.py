"""The toggles below the steps: applies what the parameters ask for to the views, once per change."""

import slicer

from DiffusionCore.mrml.roles import SPREAD

from . import SideBySide, Views

TOGGLES = ("before", "grid", "colors", "uncertainty", "sideBySide")


class Looks:
    """Knows what is on in the views, so that only differences are applied."""

    def __init__(self, ui) -> None:
        self._ui = ui
        self._applied = {}
        for button in (ui.liveButton, *(getattr(ui, f"{name}Button") for name in TOGGLES)):
            button.toggled.connect(lambda _checked, button=button: _emphasize(button))
            _emphasize(button)

    def follow(self, parameters) -> None:
        """Apply the toggles, and the fade, of ``parameters``; and enable those that have something to show."""
        fixed, moving, transform = parameters.fixedVolume, parameters.movingVolume, parameters.outputTransform
        pair = fixed is not None and moving is not None and fixed is not moving
        spread = None if transform is None else transform.GetNodeReference(SPREAD)
        possible = {
            "before": pair and transform is not None,
            "grid": transform is not None,
            "colors": pair,
            "uncertainty": pair and spread is not None,
            "sideBySide": pair and slicer.app.layoutManager() is not None,
        }
        for name, isPossible in possible.items():
            getattr(self._ui, f"{name}Button").setEnabled(isPossible)
        if spread is not None:
            self._ui.uncertaintyButton.setToolTip(spread.GetDescription())
        on = {name: possible[name] and getattr(parameters, name) for name in TOGGLES}
        carried = [node for node in (moving, parameters.movingSegmentation) if node is not None]
        self._apply("before", (on["before"], transform, *carried), Views.showBefore, carried, transform, on["before"])
        self._apply("grid", (on["grid"], transform), Views.showGrid, transform, fixed, on["grid"])
        self._apply("colors", (on["colors"], fixed, moving), Views.showColors, fixed, moving, on["colors"])
        key = (on["uncertainty"], spread, moving)
        self._apply("uncertainty", key, Views.showUncertainty, spread, moving, on["uncertainty"])
        key = (on["sideBySide"], fixed, moving)
        self._apply("sideBySide", key, SideBySide.showSideBySide, fixed, moving, on["sideBySide"])
        key = (parameters.fade, moving, spread)
        self._apply("fade", key, Views.setFade, (moving, spread), parameters.fade)

    def forget(self) -> None:
        """Apply everything anew at the next ``follow``: somebody else has changed the views."""
        self._applied = {}

    def switchOff(self, parameters, names=TOGGLES) -> None:
        """Switch the toggles ``names`` off, in the views and in ``parameters``."""
        for name in names:
            setattr(parameters, name, False)
        self.follow(parameters)

    def _apply(self, name, key, function, *arguments) -> None:
        key = tuple(part.GetID() if hasattr(part, "GetID") else part for part in key)
        if self._applied.get(name) != key:
            self._applied[name] = key
            function(*arguments)


def _emphasize(button) -> None:
    """Write a button that is on in bold: in the dark style its color alone hardly tells."""
    font = button.font
    font.setBold(button.checked)
    button.setFont(font)
