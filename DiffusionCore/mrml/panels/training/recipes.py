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
        description: the gray line below: what it learns from what, and how long that takes.
        source: of its images.
        begins: the kinds of models whose weights it can begin with.
    """

    key: str
    text: str
    description: str
    source: Source = Source.SYNTHETIC
    begins: tuple[str, ...] = ()

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


def registration_recipes() -> list[Recipe]:
    """Return what a registration can learn, the most useful first."""
    trial = _("To see that all of it works. Needs no data: the images are synthetic.")
    voxelmorph = _("Deformable registration in one look")
    on_images = _("Deformable registration in one look, on your images")
    diffusereg = _("Deformation by diffusion, with an uncertainty")
    labeled = _("A folder of labeled volumes replaces the synthetic heads.")
    small = _("Fewer objects and steps: less than an hour of a CPU core. Needs no data: the images are synthetic.")
    return [
        *_affine_recipes(trial, small),
        Recipe(
            "voxelmorph",
            voxelmorph,
            _(
                "Learns the deformation between two images of any contrasts from known ones. Needs no data: the heads "
                "and shapes are synthetic. {labeled} About 2 hours on a CPU core."
            ).format(labeled=labeled),
            Source.EITHER,
            ("voxelmorph",),
        ),
        Recipe("smoke-voxelmorph", voxelmorph, trial, Source.EITHER, ("voxelmorph",)),
        Recipe("small-voxelmorph", voxelmorph, small, Source.EITHER, ("voxelmorph",)),
        Recipe(
            "published-voxelmorph",
            voxelmorph,
            _(
                "Learns to make two images alike, as published. Needs no data: the images are synthetic. {labeled} A "
                "day or more on a CPU core; set a time limit, or choose a GPU."
            ).format(labeled=labeled),
            Source.EITHER,
            ("published-voxelmorph",),
        ),
        Recipe(
            "voxelmorph-images",
            on_images,
            _(
                "Learns from your images, without labels, to make two of them alike by a smooth deformation. About 2 "
                "hours on a CPU core."
            ),
            Source.FOLDER,
            ("voxelmorph",),
        ),
        Recipe(
            "smoke-voxelmorph-images",
            on_images,
            _("The same at 8 mm, in a minute or two: to see that all of it works."),
            Source.FOLDER,
            ("voxelmorph",),
        ),
        Recipe(
            "voxelmorph-unsupervised",
            _("Deformable registration in one look, by similarity"),
            _(
                "Learns to make two images alike by a smooth deformation. Needs no data: the heads and shapes are "
                "synthetic. {labeled} About 2 hours on a CPU core."
            ).format(labeled=labeled),
            Source.EITHER,
            ("voxelmorph",),
        ),
        Recipe(
            "diffusereg",
            diffusereg,
            _(
                "Learns to correct its estimate of the deformation, and to draw several. Needs no data: the heads and "
                "shapes are synthetic. {labeled} About 3 hours on a CPU core."
            ).format(labeled=labeled),
            Source.EITHER,
            ("diffusereg", "voxelmorph"),
        ),
        Recipe("smoke-diffusereg", diffusereg, trial, Source.EITHER, ("diffusereg", "voxelmorph")),
        Recipe("small-diffusereg", diffusereg, small, Source.EITHER, ("diffusereg", "voxelmorph")),
        Recipe(
            "published-diffusereg",
            diffusereg,
            _(
                "Learns to denoise the deformation, as published. Needs no data: the images are synthetic. For a large "
                "GPU only."
            ),
            Source.EITHER,
            ("published-diffusereg",),
        ),
        Recipe(
            "small-published-diffusereg",
            _("Published DiffuseReg, small"),
            _(
                "Learns to denoise the deformation between two images, step by step. Needs no data: the heads and "
                "shapes are synthetic. {labeled} A day or more on a CPU core; set a time limit, or choose a GPU."
            ).format(labeled=labeled),
            Source.EITHER,
            ("published-diffusereg",),
        ),
    ]


def synthesis_recipes() -> list[Recipe]:
    """Return what a synthesis can learn, the most useful first."""
    drdm, image = _("Natural deformations"), _("New images by diffusion")
    return [
        Recipe(
            "drdm",
            drdm,
            _(
                "Learns from your images, without labels, to take out of a random deformation what is unnatural. "
                "Six hours or more on a CPU core: set a time limit, or choose a GPU."
            ),
            Source.FOLDER,
            ("drdm",),
        ),
        Recipe(
            "smoke-drdm",
            drdm,
            _("Learns from your images in a minute or two: to see that all of it works."),
            Source.FOLDER,
            ("drdm",),
        ),
        Recipe(
            "small-drdm",
            drdm,
            _("The same in fewer steps: less than an hour of a CPU core."),
            Source.FOLDER,
            ("drdm",),
        ),
        Recipe(
            "published-drdm",
            drdm,
            _(
                "Learns from your images, without labels, to undo random deformations step by step, as published. "
                "For a large GPU only."
            ),
            Source.FOLDER,
            ("published-drdm",),
        ),
        Recipe(
            "image",
            image,
            _("The images are of 2 mm, by a network four times as wide as that of the small ones. For a GPU."),
            Source.FOLDER,
            ("image",),
        ),
        Recipe(
            "small-image",
            image,
            _(
                "Learns from your images, and from their labels where there are any, to make new ones of 4 mm. About 3 "
                "hours on a CPU core; the images must fit into memory."
            ),
            Source.FOLDER,
            ("image",),
        ),
        Recipe(
            "smoke-image",
            image,
            _(
                "The same at 8 mm, in a quarter of a minute: to see that all of it works. Its images are hardly more "
                "than noise."
            ),
            Source.FOLDER,
            ("image",),
        ),
        Recipe(
            "published-image",
            image,
            _(
                "Learns to make new images from patches of yours, with the noise and the network as published. For a "
                "large GPU only."
            ),
            Source.FOLDER,
            ("image",),
        ),
    ]


def _affine_recipes(trial: str, small: str) -> list[Recipe]:
    affine = _("Affine registration")
    return [
        Recipe(
            "affine",
            affine,
            _(
                "Learns the pose of heads and brains in any contrast. Needs no data: the images are synthetic. "
                "About 3 hours on two CPU cores."
            ),
            begins=("pose",),
        ),
        Recipe("smoke-affine", affine, trial, begins=("pose",)),
        Recipe("small-affine", affine, small, begins=("pose",)),
        Recipe(
            "published-affine",
            affine,
            _(
                "Learns to undo random affines step by step, as published. Needs no data: the images are synthetic. "
                "A folder of volumes replaces them. A day or more on a CPU core; set a time limit, or choose a GPU."
            ),
            Source.EITHER,
            ("published-affine",),
        ),
        Recipe(
            "comparison",
            _("Comparison of two images"),
            _(
                "Learns small affine differences between two images; measured to help on brains only. Needs no data: "
                "the heads and shapes are synthetic. A folder of volumes replaces them. About an hour on a CPU core."
            ),
            Source.EITHER,
            ("published-affine",),
        ),
    ]


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
