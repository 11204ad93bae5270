"""What can be trained for registrations, in words for the user. No torch."""

from __future__ import annotations

from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.training.recipes import Recipe, Source


def registration_recipes() -> list[Recipe]:
    """Return what a registration can learn, the most useful first."""
    return [*_affine_recipes(), *_velocity_recipes(), *_diffusion_recipes()]


def _trial() -> str:
    return _("To see that all of it works.")


def _hour() -> str:
    return _("Fewer objects and steps: less than an hour of a CPU core.")


def _day() -> str:
    return _("A day or more on a CPU core; set a time limit, or choose a GPU.")


def _affine_recipes() -> list[Recipe]:
    affine, begins = _("Affine registration"), ("pose",)
    learns = _("Learns the pose of heads and brains in any contrast. Needs no data: the images are synthetic.")
    undoes = _(
        "Learns to undo random affines step by step, as published. Needs no data: the images are synthetic. A folder "
        "of volumes replaces them."
    )
    compares = _(
        "Learns small affine differences between two images; measured to help on brains only. Needs no data: the heads "
        "and shapes are synthetic. A folder of volumes replaces them."
    )
    hours, hour = _("About 3 hours on two CPU cores."), _("About an hour on a CPU core.")
    return [
        Recipe("affine", affine, learns, hours, begins=begins),
        Recipe("smoke-affine", affine, learns, _trial(), begins=begins),
        Recipe("small-affine", affine, learns, _hour(), begins=begins),
        Recipe("published-affine", affine, undoes, _day(), Source.EITHER, ("published-affine",)),
        Recipe("comparison", _("Comparison of two images"), compares, hour, Source.EITHER, ("published-affine",)),
    ]


def _velocity_recipes() -> list[Recipe]:
    text, begins, hours = _("Deformable registration in one look"), ("voxelmorph",), _("About 2 hours on a CPU core.")
    learns = _(
        "Learns the deformation between two images of any contrasts from known ones. Needs no data: the heads and "
        "shapes are synthetic. A folder of labeled volumes replaces the heads."
    )
    published = _(
        "Learns to make two images alike, as published. Needs no data: the images are synthetic. A folder of labeled "
        "volumes replaces them."
    )
    on_images = _("Deformable registration in one look, on your images")
    alike = _("Learns from your images, without labels, to make two of them alike by a smooth deformation.")
    by_similarity = _("Deformable registration in one look, by similarity")
    alone = _(
        "Learns to make two images alike by a smooth deformation. Needs no data: the heads and shapes are synthetic. A "
        "folder of labeled volumes replaces the heads."
    )
    trial = _("To see that all of it works, at 8 mm.")
    return [
        Recipe("voxelmorph", text, learns, hours, Source.EITHER, begins),
        Recipe("smoke-voxelmorph", text, learns, _trial(), Source.EITHER, begins),
        Recipe("small-voxelmorph", text, learns, _hour(), Source.EITHER, begins),
        Recipe("published-voxelmorph", text, published, _day(), Source.EITHER, ("published-voxelmorph",)),
        Recipe("voxelmorph-images", on_images, alike, hours, Source.FOLDER, begins),
        Recipe("smoke-voxelmorph-images", on_images, alike, trial, Source.FOLDER, begins),
        Recipe("voxelmorph-unsupervised", by_similarity, alone, hours, Source.EITHER, begins),
    ]


def _diffusion_recipes() -> list[Recipe]:
    text, begins = _("Deformation by diffusion, with an uncertainty"), ("diffusereg", "voxelmorph")
    learns = _(
        "Learns to correct its estimate of the deformation, and to draw several. Needs no data: the heads and shapes "
        "are synthetic. A folder of labeled volumes replaces the heads."
    )
    denoises = _(
        "Learns to denoise the deformation between two images, as published. Needs no data: the heads and shapes are "
        "synthetic. A folder of labeled volumes replaces the heads."
    )
    hours, large = _("About 3 hours on a CPU core."), _("For a large GPU only.")
    small, published = _("Published DiffuseReg at a small size"), ("published-diffusereg",)
    return [
        Recipe("diffusereg", text, learns, hours, Source.EITHER, begins),
        Recipe("smoke-diffusereg", text, learns, _trial(), Source.EITHER, begins),
        Recipe("small-diffusereg", text, learns, _hour(), Source.EITHER, begins),
        Recipe("published-diffusereg", text, denoises, large, Source.EITHER, published),
        Recipe("small-published-diffusereg", small, denoises, _day(), Source.EITHER, published),
    ]
