"""What can be trained for syntheses, in words for the user. No torch."""

from __future__ import annotations

from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.training.recipes import Recipe, Source


def synthesis_recipes() -> list[Recipe]:
    """Return what a synthesis can learn, the most useful first."""
    large = _("For a large GPU only.")
    return [*_recovery_recipes(large), *_image_recipes(large)]


def _recovery_recipes(large: str) -> list[Recipe]:
    text, begins = _("Natural deformations"), ("drdm",)
    learns = _("Learns from your images, without labels, to take out of a random deformation what is unnatural.")
    undoes = _("Learns from your images, without labels, to undo random deformations step by step, as published.")
    hours = _("Six hours or more on a CPU core: set a time limit, or choose a GPU.")
    hour, trial = _("In fewer steps: less than an hour of a CPU core."), _("To see that all of it works.")
    return [
        Recipe("drdm", text, learns, hours, Source.FOLDER, begins),
        Recipe("smoke-drdm", text, learns, trial, Source.FOLDER, begins),
        Recipe("small-drdm", text, learns, hour, Source.FOLDER, begins),
        Recipe("published-drdm", text, undoes, large, Source.FOLDER, ("published-drdm",)),
    ]


def _image_recipes(large: str) -> list[Recipe]:
    text, begins = _("New images by diffusion"), ("image",)
    learns = _("Learns from your images, and from their labels where there are any, to make new ones.")
    patches = _("Learns to make new images from patches of yours, with the noise and the network as published.")
    trial = _("At 8 mm, to see that all of it works: hardly more than noise.")
    small = _("At 4 mm. About 3 hours on a CPU core; the images must fit into memory.")
    full = _("At 2 mm, by a network four times as wide as the small one. For a GPU.")
    return [
        Recipe("image", text, learns, full, Source.FOLDER, begins),
        Recipe("small-image", text, learns, small, Source.FOLDER, begins),
        Recipe("smoke-image", text, learns, trial, Source.FOLDER, begins),
        Recipe("published-image", text, patches, large, Source.FOLDER, begins),
    ]
