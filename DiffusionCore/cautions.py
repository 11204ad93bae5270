"""What the user must be told about a result, beside its numbers."""

from __future__ import annotations

from collections.abc import Collection

from DiffusionCore.affine.pipeline import CAUTION
from DiffusionCore.affine.steps import Spread
from DiffusionCore.deformable.landmarks import followed
from DiffusionCore.deformable.start import split
from DiffusionCore.registration import DeformableSettings, PublishedDiffuseRegSettings, Settings
from DiffusionCore.space import Grid
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform

NO_SAFE_POSE = (
    "No pose fits clearly better than all others. The images were put center to center, or left as the initial "
    "transform puts them, and no deformation was fitted to them. Start from a better initial transform."
)
SIZE_ONLY = "The uncertainty says how large errors may be, but hardly where they are."


def cautions(
    settings: Settings, phases: Collection[str], result: Transform, fixed: Grid, spread: Spread | None = None
) -> tuple[str, ...]:
    """Return sentences about a registration with ``settings`` that went through ``phases`` to ``result``.

    They are about an alignment that is not believed, landmarks that lie where nothing could follow them, and a
    ``spread`` that does not say where errors are.
    """
    said = [NO_SAFE_POSE] if CAUTION in phases else []
    guidance = settings.guidance if isinstance(settings, DeformableSettings | PublishedDiffuseRegSettings) else None
    landmarks = None if guidance is None else guidance.landmarks
    if landmarks is not None and not isinstance(result, Affine):
        outside = int((~followed(landmarks, fixed, split(result, fixed)[0])).sum())
        if outside:
            said.append(
                "Pairs of landmarks that lie outside the fixed image, where nothing is deformed, and were not "
                f"followed: {outside} of {len(landmarks.pairs)}."
            )
    if spread is not None and spread.stated and not spread.localizes:
        said.append(SIZE_ONLY)
    return tuple(said)
