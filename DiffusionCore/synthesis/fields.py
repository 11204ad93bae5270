"""Where the deformation of a variant comes from: at random, or at random and then recovered by a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from DiffusionCore.build import build_network
from DiffusionCore.checks import GeometryError
from DiffusionCore.deformation.random_fields import MultiScale, resting, sealed
from DiffusionCore.deformation.recovery import Recovery
from DiffusionCore.deformation.strength import SYMMETRIC, random_velocity
from DiffusionCore.models import load_model
from DiffusionCore.networks.recovery import RecoveryNetwork
from DiffusionCore.space import Grid, Volume
from DiffusionCore.synthesis.anatomy import Anatomy
from DiffusionCore.transforms import Displacement, Transform

_STEPS = 5  # measured: 80 end where 5 do
_MARGIN = 16.0  # mm, over which a recovered deformation comes to rest at the border of the network's grid
_PER_LEVEL = 1.4  # mean length of a vector whose components have deviation 1, nearly
_LEFT = 0.6  # of a deformation, nearly, after its recovery
_CLOSE = 0.05  # of the wanted mean displacement
_TRIES = 4


class FieldSource(ABC):
    """Draws deformations of one case: points of the variant to points of the case, RAS mm."""

    @abstractmethod
    def draw(self, anatomy: Anatomy, *, generator: torch.Generator) -> list[Transform]:
        """Return a deformation whose mean displacement of the tissue is ``anatomy.wanted`` mm.

        It is the last of the list; before it come the stages on the way there, if it has any.
        """


@dataclass(frozen=True)
class RandomFields(FieldSource):
    """Random velocities of several scales over ``grid``, symmetric where the anatomy has a mid-plane."""

    grid: Grid

    def draw(self, anatomy: Anatomy, *, generator: torch.Generator) -> list[Transform]:
        velocity = random_velocity(
            self.grid,
            anatomy.wanted,
            law=anatomy.law,
            plane=anatomy.plane,
            region=anatomy.region,
            generator=generator,
        )
        return [velocity]


class RecoveredFields(FieldSource):
    """Random deformations, of a level so much higher that what a network leaves of them is as strong as asked for.

    Raises:
        CheckpointError: there is no such model, or it is of another kind.
        GeometryError: the image is a single slice.
    """

    def __init__(self, image: Volume, model: str) -> None:
        if image.grid.slice_axis is not None:
            raise GeometryError(
                "A model recovers deformations of volumes only, and this is a single slice. Leave it out."
            )
        network = build_network(load_model(model, "drdm"))
        assert isinstance(network, RecoveryNetwork)  # the kind says so
        self._recovery = Recovery.of(network, image)

    def draw(self, anatomy: Anatomy, *, generator: torch.Generator) -> list[Transform]:
        grid = self._recovery.grid
        unit = MultiScale().draw(grid, generator=generator)
        if anatomy.plane is not None:
            unit = anatomy.plane.symmetrized(unit, grid, SYMMETRIC)
        unit = sealed(unit, grid, _MARGIN)
        level = anatomy.wanted / (_PER_LEVEL * _LEFT)
        stages: list[Transform] = []
        for _ in range(_TRIES):
            stages = [
                Displacement(resting(stage.vectors, grid, _MARGIN), grid)
                for stage in self._recovery.steps(unit, level, _STEPS)
            ]
            moved = float((stages[-1].map(anatomy.region) - anatomy.region).norm(dim=-1).mean())
            if moved <= 0 or abs(moved / anatomy.wanted - 1) <= _CLOSE:
                break
            level *= anatomy.wanted / moved
        return stages
