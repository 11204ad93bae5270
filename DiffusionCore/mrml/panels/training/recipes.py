"""What can be trained, in words for the user. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from slicer.i18n import tr as _


class Source(Enum):
    """Where the images of a training come from."""

    SYNTHETIC = "synthetic"
    FOLDER = "folder"  # of the user
    EITHER = "either"  # labeled cases of the user in place of synthetic heads


class Preset(Enum):
    """The sizes of a recipe; all but FULL stand before its name in the table of recipes of the core."""

    SMOKE = "smoke"
    SMALL = "small"
    FULL = "full"
    PUBLISHED = "published"


@dataclass(frozen=True)
class Recipe:
    """A recipe in one of its presets.

    Attributes:
        key: its name in the table of recipes of the core; saved with the scene.
        text: what the user reads of it; the same in all presets.
        learns: the beginning of the gray line below: what it learns from what; the same in most presets.
        takes: the end of it: how long that takes, on what.
        source: of its images.
        begins: the kinds of models whose weights it can begin with.
    """

    key: str
    text: str
    learns: str
    takes: str
    source: Source = Source.SYNTHETIC
    begins: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """The gray line below."""
        return f"{self.learns} {self.takes}"

    @property
    def preset(self) -> Preset:
        """Its preset."""
        first = self.key.split("-")[0]
        return next((preset for preset in Preset if preset.value == first), Preset.FULL)

    @property
    def family(self) -> str:
        """The key without the preset."""
        return self.key.removeprefix(f"{self.preset.value}-")

    @property
    def packages(self) -> tuple[str, ...]:
        """What its training needs beside the requirements: pictures, and the template of the synthetic heads."""
        return ("matplotlib",) if self.source is Source.FOLDER else ("matplotlib", "nilearn")


def preset_text(preset: Preset) -> str:
    """Return what the user reads of a preset."""
    texts = {
        Preset.SMOKE: _("Trial, in a minute or two"),
        Preset.SMALL: _("Small, for a CPU"),
        Preset.FULL: _("Full"),
        Preset.PUBLISHED: _("As published"),
    }
    return texts[preset]


def families(recipes: Iterable[Recipe]) -> list[tuple[str, str]]:
    """Return (family, text) of the ``recipes``, each once, in order."""
    texts: dict[str, str] = {}
    for recipe in recipes:
        texts.setdefault(recipe.family, recipe.text)
    return list(texts.items())


def presets_of(family: str, recipes: Iterable[Recipe]) -> list[Recipe]:
    """Return those of the ``recipes`` that are presets of the ``family``, the quickest first."""
    order = list(Preset)
    found = [recipe for recipe in recipes if recipe.family == family]
    return sorted(found, key=lambda recipe: order.index(recipe.preset))


def default_training_folder() -> Path:
    """Return where trainings are kept unless the user chooses another folder: beside the models."""
    from DiffusionCore.models import models_folder

    return models_folder().absolute().parent / "trainings"


def purpose_of(kind: str) -> str:
    """Return what weights of the ``kind`` are for; a kind that is new stays as it is."""
    known = {
        "pose": _("Affine registration"),
        "published-affine": _("Published affine diffusion"),
        "diffusereg": _("Deformation by diffusion"),
        "published-diffusereg": _("Diffusion of the deformation"),
        "voxelmorph": _("Deformable registration in one look"),
        "published-voxelmorph": _("Published VoxelMorph"),
        "drdm": _("Natural deformations"),
        "published-drdm": _("Published DRDM"),
        "image": _("New images"),
    }
    return known.get(kind, kind)
