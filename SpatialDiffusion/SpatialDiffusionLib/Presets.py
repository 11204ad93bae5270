"""Presets: how to align, in words for the user, and what that means for the core. No torch."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from slicer.i18n import tr as _

from .NoteRow import Note
from .States import Icon
from .TrainingRecipes import purposeOf

AUTOMATIC = "automatic"
_MODEL = "model:"  # begins the key of a model of the user
_GRADED = (0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.0, 1.0)  # DiffusionCore.diffusion.reverse.GRADED, which needs torch


@dataclass(frozen=True)
class Preset:
    """One line of the list.

    Attributes:
        key: what is saved with the scene.
        text: what the user reads.
        description: the gray line below, which names the method.
        method, settings: of a RegistrationJob, partial.
    """

    key: str
    text: str
    description: str
    method: str = "affine"
    settings: dict[str, Any] = field(default_factory=dict)


def builtInPresets() -> list[Preset]:
    """Return the presets that are always there."""
    return [
        Preset(
            AUTOMATIC,
            _("Automatic"),
            _("Affine: position, rotation, size and shear, from any start. No local deformation yet."),
        ),
        Preset(
            "rigid",
            _("Rigid only"),
            _("Position and rotation: for two scans of one patient."),
            settings={"polish": {"group": "RIGID"}},
        ),
        Preset(
            "similarity",
            _("Similarity (rigid and size)"),
            _("Position, rotation and one size: where the calibration of a scanner is in doubt."),
            settings={"polish": {"group": "SIMILARITY"}},
        ),
    ]


def modelPresets(cards: Any) -> list[Preset]:
    """Return a preset for each model that the user has installed or trained; ``cards`` are those of list_models."""
    presets = []
    for card in cards:
        if card.shipped or card.kind not in ("pose", "published-affine", "published-diffusereg"):
            continue
        learned = _("Trained model. For: {purpose}. Data: {data}.").format(purpose=purposeOf(card.kind), data=card.data)
        method = "affine" if card.kind == "pose" else card.kind
        presets.append(Preset(_MODEL + card.name, card.name, learned, method, {"model": card.name}))
    return presets


def missingPreset(key: str) -> Preset:
    """Return what stands for a preset of a saved scene that does not exist here."""
    return Preset(key, key.removeprefix(_MODEL), _("A model that is not here."))


def missingNote(preset: Preset, choose: Callable[[str, str], None]) -> Note:
    """Return what is said about a ``preset`` that does not exist here; ``choose("preset", key)`` takes another."""
    text = _("The model '{name}' is not installed here. Choose another preset.").format(name=preset.text)
    tip = _("Choose the preset that needs no model of your own.")
    return Note(text, Icon.ERROR, _("Use Automatic"), tip, lambda: choose("preset", AUTOMATIC))


def settingsOf(preset: Preset, steps: int) -> dict[str, Any]:
    """Return the settings of ``preset`` with ``steps`` steps of the diffusion; 0 leaves their number to it."""
    if not steps:
        return dict(preset.settings)
    if preset.method == "published-affine":
        return {**preset.settings, "count": steps}
    if preset.method == "published-diffusereg":
        return {**preset.settings, "count": steps, "eta": 0.0}  # few steps need those without chance
    return {**preset.settings, "fractions": gradedFractions(steps)}


def gradedFractions(count: int) -> list[float]:
    """Return ``count`` fractions along the curve of the default ones; the last is 1."""
    last = len(_GRADED) - 1
    places = [last - number * last / max(count - 1, 1) for number in range(count)]
    return [_between(place) for place in reversed(places)]


def _between(place: float) -> float:
    below = min(int(place), len(_GRADED) - 2)
    return _GRADED[below] + (place - below) * (_GRADED[below + 1] - _GRADED[below])
