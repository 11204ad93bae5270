"""The section Steer: landmarks, a target organ, a direction and smoothness, which guide a deformation from now on."""

from slicer.i18n import tr as _

from DiffusionCore.mrml.labels import common_names
from DiffusionCore.mrml.panels.choices import Choice
from DiffusionCore.mrml.steering import Steering, count_of, placed

from . import Presets

_NORMAL = 50.0  # % of Pull that stand for the normal strength


class SteerSection:
    """Shows what guides the deformation of the chosen preset; a preset that does not deform cannot be steered."""

    def __init__(self, ui, onTarget) -> None:
        self._ui = ui
        self._targets = Choice(ui.targetSelector, lambda key: onTarget("" if key == _none() else key))
        self._listed: list[str] | None = None
        self._used: tuple | None = None
        for widget in (ui.fixedPlaceWidget, ui.movingPlaceWidget, ui.directionPlaceWidget):
            widget.setPlaceMultipleMarkups(widget.ForcePlaceMultipleMarkups)
            widget.buttonsVisible = False
            widget.placeButton().show()
            widget.deleteButton().show()

    def note(self, parameters) -> None:
        """Note what the run that begins now is guided by."""
        self._used = signatureOfSteering(parameters)

    def follow(self, parameters, preset, running) -> None:
        """Show what holds; called whenever something may have changed."""
        steers = Presets.steers(preset)
        self._ui.steerBody.setVisible(steers)
        text = (
            _steerText(parameters)
            if steers
            else _("Choose a preset that refines or samples a deformation to steer it.")
        )
        if running and signatureOfSteering(parameters) != self._used:
            text = _("Changes apply on the next Resume.")
        self._ui.steerLabel.setText(text)
        names = _commonSegments(parameters.fixedSegmentation, parameters.movingSegmentation)
        if names != self._listed:
            self._listed = names
            self._targets.fill([(_none(), _("None")), *((name, name) for name in names)])
        self._ui.targetSelector.setEnabled(bool(names))
        if not self._targets.show(parameters.targetSegment or _none()):
            self._targets.show(_none())


def steeringOf(parameters, preset) -> Steering:
    """Return what the section asks for; nothing for a preset that does not deform."""
    if not Presets.steers(preset):
        return Steering()
    names = _commonSegments(parameters.fixedSegmentation, parameters.movingSegmentation)
    return Steering(
        fixed_landmarks=parameters.fixedLandmarks,
        moving_landmarks=parameters.movingLandmarks,
        segment=parameters.targetSegment if parameters.targetSegment in names else "",
        direction=parameters.directionLine,
        strength=parameters.pull / _NORMAL,
        smoothness=10**parameters.smoothness,
    )


def signatureOfSteering(parameters) -> tuple:
    """Return what distinguishes one steering from another, the placed points included."""
    lists = (parameters.fixedLandmarks, parameters.movingLandmarks, parameters.directionLine)
    points = tuple(None if each is None else (each.GetID(), tuple(placed(each))) for each in lists)
    return (*points, parameters.targetSegment, parameters.pull, parameters.smoothness)


def _steerText(parameters) -> str:
    """Return the gray line: what takes effect when, and how many pairs of landmarks there are."""
    text = _("Takes effect on Register, or on Resume from the step shown.")
    lists = (parameters.fixedLandmarks, parameters.movingLandmarks)
    if None in lists:
        return text
    counted = _("{fixed} fixed and {moving} moving landmarks.")
    return text + " " + counted.format(fixed=count_of(lists[0]), moving=count_of(lists[1]))


def _commonSegments(fixed, moving) -> list[str]:
    return [] if fixed is None or moving is None else common_names(fixed, moving)


def _none() -> str:
    return "\0"  # a name that no segment has
