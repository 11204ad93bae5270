"""What can be trained, in words for the user. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from slicer.i18n import tr as _


class Source(Enum):
    """Where the images of a training come from."""

    SYNTHETIC = "synthetic"
    FOLDER = "folder"  # of the user


@dataclass(frozen=True)
class Recipe:
    """One line of the list.

    Attributes:
        key: its name in the table of recipes of the core; saved with the scene.
        text: what the user reads.
        description: the gray line below: what it learns from what, and how long that takes.
        source: of its images.
    """

    key: str
    text: str
    description: str
    source: Source = Source.SYNTHETIC

    @property
    def packages(self) -> tuple[str, ...]:
        """What its training needs beside the requirements: nilearn brings the template of the synthetic heads."""
        return ("nilearn",) if self.source is Source.SYNTHETIC else ()


def registration_recipes() -> list[Recipe]:
    """Return what a registration can learn, the most useful first."""
    return [
        Recipe(
            "affine",
            _("Affine registration"),
            _(
                "Learns the pose of heads and brains in any contrast. Needs no data: the images are synthetic. "
                "About 3 hours on two CPU cores."
            ),
        ),
        Recipe(
            "comparison",
            _("Comparison of two images"),
            _(
                "Learns small affine differences between two images; measured to help on brains only. Needs no data: "
                "the heads and shapes are synthetic. About an hour on a CPU core."
            ),
        ),
        Recipe(
            "voxelmorph",
            _("Deformable registration in one look"),
            _(
                "Learns the deformation between two images of any contrasts from known ones. Needs no data: the heads "
                "and shapes are synthetic. About 2 hours on a CPU core."
            ),
        ),
        Recipe(
            "voxelmorph-unsupervised",
            _("Deformable registration in one look, by similarity"),
            _(
                "Learns to make two images alike by a smooth deformation. Needs no data: the heads and shapes are "
                "synthetic. About 2 hours on a CPU core."
            ),
        ),
        Recipe(
            "voxelmorph-images",
            _("Deformable registration in one look, on your images"),
            _(
                "Learns from your images, without labels, to make two of them alike by a smooth deformation. About 2 "
                "hours on a CPU core."
            ),
            Source.FOLDER,
        ),
        Recipe(
            "published-voxelmorph",
            _("Published VoxelMorph"),
            _(
                "Learns to make two images alike, as published. Needs no data: the images are synthetic. A day or more "
                "on a CPU core; set a time limit, or choose a GPU."
            ),
        ),
        Recipe(
            "diffusereg",
            _("Deformation by diffusion, with an uncertainty"),
            _(
                "Learns to correct its estimate of the deformation, and to draw several. Needs no data: the heads and "
                "shapes are synthetic. About 3 hours on a CPU core."
            ),
        ),
        Recipe(
            "small-diffusereg",
            _("Diffusion of the deformation"),
            _(
                "Learns to denoise the deformation between two images, step by step. Needs no data: the heads and "
                "shapes are synthetic. A day or more on a CPU core; set a time limit, or choose a GPU."
            ),
        ),
        Recipe(
            "published-diffusereg",
            _("Published DiffuseReg"),
            _("The same at its published size. Needs no data: the images are synthetic. For a large GPU only."),
        ),
        Recipe(
            "published-affine",
            _("Published affine diffusion"),
            _(
                "Learns to undo random affines step by step, as published. Needs no data: the images are synthetic. "
                "A day or more on a CPU core; set a time limit, or choose a GPU."
            ),
        ),
        Recipe(
            "smoke-affine",
            _("Affine registration, a trial"),
            _("In a minute or two: to see that all of it works. Needs no data: the images are synthetic."),
        ),
        Recipe(
            "smoke-voxelmorph",
            _("Deformable registration in one look, a trial"),
            _("In a minute or two: to see that all of it works. Needs no data: the images are synthetic."),
        ),
        Recipe(
            "smoke-diffusereg",
            _("Deformation by diffusion, a trial"),
            _("In a minute or two: to see that all of it works. Needs no data: the images are synthetic."),
        ),
    ]


def synthesis_recipes() -> list[Recipe]:
    """Return what a synthesis can learn, the most useful first."""
    return [
        Recipe(
            "drdm",
            _("Natural deformations (recovery)"),
            _(
                "Learns from your images, without labels, to take out of a random deformation what is unnatural. "
                "400 steps took half an hour on a CPU core, all of them take days: set a time limit, or choose a GPU."
            ),
            Source.FOLDER,
        ),
        Recipe(
            "smoke-drdm",
            _("Natural deformations, a trial"),
            _("Learns from your images in a minute or two: to see that all of it works."),
            Source.FOLDER,
        ),
        Recipe(
            "published-drdm",
            _("Published DRDM"),
            _(
                "Learns from your images, without labels, to undo random deformations step by step, as published. "
                "For a large GPU only."
            ),
            Source.FOLDER,
        ),
        Recipe(
            "small-image",
            _("New images by diffusion, 4 mm"),
            _(
                "Learns from your images, and from their labels where there are any, to make new ones. About 3 hours "
                "on a CPU core; the images must fit into memory."
            ),
            Source.FOLDER,
        ),
        Recipe(
            "image",
            _("New images by diffusion, 2 mm"),
            _("The same at twice the resolution, by a network four times as wide. For a GPU."),
            Source.FOLDER,
        ),
        Recipe(
            "smoke-image",
            _("New images by diffusion, a trial"),
            _(
                "The same at 8 mm, in a quarter of a minute: to see that all of it works. Its images are hardly more "
                "than noise."
            ),
            Source.FOLDER,
        ),
        Recipe(
            "published-image",
            _("Published BrainDiffusion"),
            _(
                "Learns to make new images from patches of yours, with the noise and the network as published. For a "
                "large GPU only."
            ),
            Source.FOLDER,
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
