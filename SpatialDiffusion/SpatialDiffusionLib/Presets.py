"""Presets: how to align, in words for the user, and what that means for the core. No torch."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from slicer.i18n import tr as _

from DiffusionCore.config import to_dict
from DiffusionCore.deformable.settings import Preset as Detail
from DiffusionCore.deformable.settings import RefinementSettings
from DiffusionCore.mrml.panels.lines import Icon
from DiffusionCore.mrml.panels.note_row import Note
from DiffusionCore.mrml.panels.training.recipes import purpose_of

AUTOMATIC = "automatic"
DEFORMABLE = "deformable"  # the method that refines a field
DAMPING = RefinementSettings().divergence
_MODEL = "model:"  # begins the key of a model of the user
_GRADED = (0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.0, 1.0)  # DiffusionCore.diffusion.reverse.GRADED, which needs torch
# kind of a model -> what it is used by
_OF_KIND = {
    "pose": lambda name: ("affine", {"model": name}),
    "published-affine": lambda name: ("published-affine", {"model": name}),
    "published-diffusereg": lambda name: ("published-diffusereg", {"model": name}),
    "diffusereg": lambda name: (DEFORMABLE, {"learned": {"model": name, "samples": 4}}),
    "voxelmorph": lambda name: (DEFORMABLE, {"learned": {"model": name}}),
    "published-voxelmorph": lambda name: (DEFORMABLE, {"learned": {"model": name}}),
}


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
            _("Affine, from any start; then a smooth deformation that never folds. For most pairs."),
            DEFORMABLE,
        ),
        Preset(
            "affine",
            _("Affine only"),
            _("Position, rotation, size and shear, from any start."),
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
        Preset(
            "deformable",
            _("Deformable only"),
            _("A smooth deformation that never folds: for volumes that are aligned already."),
            DEFORMABLE,
            {"affine": None},
        ),
        Preset(
            "contrasts",
            _("Different contrasts"),
            _("As Automatic, but a network that was trained on pairs of any contrasts begins the deformation."),
            DEFORMABLE,
            {"learned": {"model": "voxelmorph"}},
        ),
        Preset(
            "sampling",
            _("Diffusion sampling"),
            _(
                "Affine, then four deformations drawn by diffusion, watched and steered step by step, with their "
                "spread in mm; their mean is refined."
            ),
            DEFORMABLE,
            {"learned": {"model": "diffusereg", "samples": 4}},
        ),
    ]


def modelPresets(cards: Any) -> list[Preset]:
    """Return a preset for each model that the user has installed or trained; ``cards`` are those of list_models."""
    presets = []
    for card in cards:
        if card.shipped or card.kind not in _OF_KIND:
            continue
        learned = _("Trained model. For: {purpose}. Data: {data}.").format(
            purpose=purpose_of(card.kind), data=card.data
        )
        method, settings = _OF_KIND[card.kind](card.name)
        presets.append(Preset(keyOf(card.name), card.name, learned, method, settings))
    return presets


def keyOf(name: str) -> str:
    """Return the key of the preset of the model ``name``."""
    return _MODEL + name


def workName(preset: Preset, detail: str) -> str:
    """Return what the time of a registration depends on beside the images: the method, and how fine it deforms."""
    return f"{DEFORMABLE}-{detail}" if refines(preset) else preset.method


def refines(preset: Preset) -> bool:
    """Return whether ``preset`` refines a deformation, which can then be finer or coarser."""
    return preset.method == DEFORMABLE and preset.settings.get("refinement", {}) is not None


def steers(preset: Preset) -> bool:
    """Return whether the deformation of ``preset`` can be steered: one that is refined, or sampled by diffusion."""
    return refines(preset) or preset.method == "published-diffusereg"


def missingPreset(key: str) -> Preset:
    """Return what stands for a preset of a saved scene that does not exist here."""
    return Preset(key, key.removeprefix(_MODEL), _("A model that is not here."))


def missingNote(preset: Preset, choose: Callable[[str, str], None]) -> Note:
    """Return what is said about a ``preset`` that does not exist here; ``choose("preset", key)`` takes another."""
    text = _("The model '{name}' is not installed here. Choose another preset.").format(name=preset.text)
    tip = _("Choose the preset that needs no model of your own.")
    return Note(text, Icon.ERROR, _("Use Automatic"), tip, lambda: choose("preset", AUTOMATIC))


def draws(preset: Preset) -> bool:
    """Return whether ``preset`` draws its samples in one run, and needs no repetitions for the uncertainty."""
    return "samples" in (preset.settings.get("learned") or {})


def settingsOf(
    preset: Preset, steps: int = 0, detail: str = Detail.DEFAULT.value, damping: float = DAMPING, samples: int = 1
) -> dict:
    """Return the settings of ``preset``, with what Advanced says of them.

    Args:
        preset: one of the list.
        steps: of the diffusion; 0 leaves their number to the preset.
        detail: how much time for how much detail of a deformation (DiffusionCore.deformable.settings.Preset).
        damping: of the change of volume by a deformation.
        samples: of a field that is sampled; 1 leaves their number to the preset.
    """
    settings = dict(preset.settings)
    if draws(preset) and samples > 1:
        settings["learned"] = {**settings["learned"], "samples": samples}
    if preset.method == DEFORMABLE and steps and settings.get("affine", {}) is not None:
        settings["affine"] = {"fractions": gradedFractions(steps)}
    if refines(preset):
        refinement = replace(RefinementSettings.of(Detail(detail)), divergence=damping)
        settings["refinement"] = to_dict(refinement)
    elif steps and preset.method == "published-affine":
        settings["count"] = steps
    elif steps and preset.method == "published-diffusereg":
        settings |= {"count": steps, "eta": 0.0}  # few steps need those without chance
    elif steps and preset.method == "affine":
        settings["fractions"] = gradedFractions(steps)
    return settings


def gradedFractions(count: int) -> list[float]:
    """Return ``count`` fractions along the curve of the default ones; the last is 1."""
    last = len(_GRADED) - 1
    places = [last - number * last / max(count - 1, 1) for number in range(count)]
    return [_between(place) for place in reversed(places)]


def _between(place: float) -> float:
    below = min(int(place), len(_GRADED) - 2)
    return _GRADED[below] + (place - below) * (_GRADED[below + 1] - _GRADED[below])
