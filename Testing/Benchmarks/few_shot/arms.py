"""The arms: what the training cases are deformed by. Nothing else differs between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import torch

from DiffusionCore.deformation.random_fields import MultiScale
from DiffusionCore.deformation.strength import Strength, mean_displacement, mean_length
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.synthesis.subject import Subject
from DiffusionCore.synthesis.synthesizer import Synthesizer, sample_generator
from DiffusionCore.transforms import Affine, Displacement
from Testing.Benchmarks.few_shot.plan import Plan

Arm = Callable[[Subject], Iterator[Subject]]
"""From a case to its variants."""

ELASTIC = MultiScale((32.0,))  # mm between the control points: seven or eight along a head, as is usual


def arms(plan: Plan, model: str | None = None) -> dict[str, Arm]:
    """Return the arms by name; those with recovered fields only where there is a ``model`` of the kind "drdm"."""
    moves = {"rotation": plan.rotation, "scale": plan.scale}
    found: dict[str, Arm] = {
        "none": lambda case: iter(()),
        "affine": partial(elastic, plan, 0.0),
        "elastic": partial(elastic, replace(plan, rotation=0.0, scale=0.0), Strength.NATURAL),
        "affine + elastic": partial(elastic, plan, Strength.NATURAL),
        "plain": partial(synthesized, plan, SynthesisSettings(symmetry="off")),
        "symmetric": partial(synthesized, plan, SynthesisSettings()),
        "affine + plain": partial(synthesized, plan, SynthesisSettings(symmetry="off", **moves)),
        "affine + symmetric": partial(synthesized, plan, SynthesisSettings(**moves)),
        "affine + subtle symmetric": partial(synthesized, plan, SynthesisSettings(Strength.SUBTLE, **moves)),
    }
    if model is not None:
        found["recovered"] = partial(synthesized, plan, SynthesisSettings(model=model))
        found["affine + recovered"] = partial(synthesized, plan, SynthesisSettings(model=model, **moves))
    return found


def synthesized(plan: Plan, settings: SynthesisSettings, case: Subject) -> Iterator[Subject]:
    """Yield the variants that ``synthesize`` makes."""
    source = Synthesizer(case, settings)
    for index in range(plan.variants):
        yield source.variant(index).subject


def elastic(plan: Plan, strength: float, case: Subject) -> Iterator[Subject]:
    """Yield what the usual augmentation makes: one scale of displacements at ``strength``, and an affine map.

    The affine maps are of the law of ``SynthesisSettings``, the displacement moves the tissue as far in the mean.
    """
    source = Synthesizer(case, SynthesisSettings(symmetry="off"))
    grid, anatomy = case.images[0].grid, source.anatomy
    deviations = torch.tensor([math.radians(plan.rotation)] * 3 + [0.0] * 3 + [plan.scale] * 3 + [0.0] * 3)
    for index in range(plan.variants):
        generator = sample_generator(0, index)
        affine = Affine.exponential(torch.randn(12, generator=generator) * deviations, anatomy.center)
        unit = ELASTIC.draw(grid, generator=generator)
        wanted = mean_displacement(strength, anatomy.extent)
        vectors = wanted / mean_length(unit, grid, anatomy.region) * unit
        yield source.deformed(Displacement.of(affine @ Displacement(vectors, grid), grid))
