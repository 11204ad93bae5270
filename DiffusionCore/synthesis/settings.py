"""How variants of a case are made, and what they have to pass."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from DiffusionCore.checks import check_range
from DiffusionCore.deformation.strength import Strength
from DiffusionCore.synthesis.plausibility import VolumeReference
from DiffusionCore.synthesis.reference import RealVolumes


@dataclass(frozen=True)
class Limits:
    """What a variant has to pass; one that does not is drawn again.

    Attributes:
        volume_change: by which factor a label may grow or shrink at most.
        counted: voxels, the smallest label whose volume and parts are checked; smaller ones must only be left over.
        outside: the largest share of the tissue that leaves the field of view.
        asymmetry, shares: the largest z-scores of the volumes of labels, where there is a reference
            (``plausibility``): those of 14 or 15 of 15 real brains stay below. Those of the case itself, if they are
            larger: a variant need not be less unusual.
        attempts: draws before a sample is given up.

    Raises:
        ValueError: a number is out of its range.
    """

    volume_change: float = 2.0
    counted: int = 100
    outside: float = 0.001
    asymmetry: float = 2.0
    shares: float = 1.6
    attempts: int = 20

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "volume_change", "counted", "attempts")
        check_range(self, 0, 1, "outside")
        check_range(self, 0, math.inf, "asymmetry", "shares")


@dataclass(frozen=True)
class SynthesisSettings:
    """How variants are made.

    Attributes:
        strength: 0..1, the mean displacement of the tissue as a share of its largest extent: .018 of it at .6
            (natural), .03 at 1; in a brain 1.5 mm at .3, 3 mm at .6, 5 mm at 1.
        displacement: mm, in place of ``strength``.
        symmetry: whether both sides deform alike, but for a tenth of the variance: "auto" where the two sides of the
            image look alike, "on" or "off".
        rotation: degrees, deviation about each axis of a random affine map that acts, too; 0 for none.
        scale: deviation of the log-scale along each axis.
        translation: mm, deviation along each axis.
        intensity: probability that gamma, a smooth bias field and noise change each image.
        model: name or path of a network (kind "drdm") that recovers the random deformations; None for none.
        image_model: name or path of a diffusion of images (kind "image") that paints a new image for the labels
            of the first segmentation, once deformed; None for the image of the case.
        registrations: folder of registrations between the cases (``mixtures``), whose mixtures are the deformations in
            place of random ones; None for none.
        reference: of natural volumes of the labels of the first segmentation, to judge variants by; None for that of
            the model, if it has one that knows the labels.
        limits: what a variant has to pass.

    Raises:
        ValueError: a number is out of its range.
    """

    strength: float = Strength.NATURAL.value
    displacement: float | None = None
    symmetry: Literal["auto", "on", "off"] = "auto"
    rotation: float = 0.0
    scale: float = 0.0
    translation: float = 0.0
    intensity: float = 0.0
    model: str | None = None
    image_model: str | None = None
    registrations: str | None = None
    reference: VolumeReference | RealVolumes | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        check_range(self, 0, 1, "strength", "intensity")
        check_range(self, 0, 180, "rotation")
        check_range(self, 0, 1, "scale")
        check_range(self, 0, math.inf, "translation")
        if self.model is not None and self.registrations is not None:
            raise ValueError("'model' recovers random deformations, 'registrations' are others: give one of them")
        if self.displacement is not None:
            check_range(self, 0, 1000, "displacement")
