"""DiffusionCore: registration and synthesis of 3D medical images by diffusion of transforms.

::

    from DiffusionCore import read_volume, register, write_transform

    fixed, moving = read_volume("fixed.nii.gz"), read_volume("moving.nii.gz")
    registration = register(fixed, moving)
    write_transform("transform.h5", registration.transform)

``dir(DiffusionCore)`` lists the public names. Importing the package imports nothing heavy: a name brings its module,
and torch if that computes, when it is first asked for.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_NAMES = {
    "checks": ("DiffusionCoreError",),
    "space": ("Frame", "Grid", "Volume"),
    "transforms": ("Affine", "Chain", "Displacement", "Group", "Transform", "Velocity", "resample"),
    "storage.volumes": ("read_volume", "write_volume"),
    "storage.transforms": ("read_transform", "write_transform"),
    "models": ("list_models",),
    "affine.steps": ("Step",),
    "affine.pipeline": ("AffineSettings",),
    "affine.published_pipeline": ("PublishedSettings",),
    "deformable.pipeline": ("DeformableSettings",),
    "deformable.measures": ("AutomaticMeasure", "CorrelationMeasure", "SelfSimilarityMeasure"),
    "deformable.settings": ("Preset", "RefinementSettings"),
    "deformable.guidance": ("Guidance", "LandmarkPair", "Landmarks", "PreferredDirection", "TargetSegment"),
    "registration": ("Registration", "register"),
    "deformation.strength": ("random_velocity",),
    "synthesis.subject": ("Segmentation", "Subject"),
    "synthesis.settings": ("SynthesisSettings",),
    "synthesis.synthesizer": ("Synthesizer",),
    "synthesis.pairs": ("write_pairs",),
}
_HOMES = {name: f"DiffusionCore.{module}" for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'DiffusionCore' has no attribute '{name}'; it has {', '.join(sorted(_HOMES))}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted((*_HOMES, "__version__"))
