"""Mixtures of registrations: how the cases of a folder differ from one of them, as new deformations of it.

::

    u = sum over n of  w_n (v_n - mean of all v)          w_n ~ N(0, 1)

v_n is the velocity of the registration of another case to this one, behind the affine map between them; it lies in the
frame of this case already. Without its mean no mixture leads towards the mean anatomy. What is finer than the random
fields is smoothed away: scaled up and added, it folds. Source: our own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from DiffusionCore.checks import StorageError
from DiffusionCore.deformable.pipeline import DeformableSettings
from DiffusionCore.deformable.smoothing import gaussian
from DiffusionCore.deformable.start import split
from DiffusionCore.deformation.random_fields import MultiScale, sealed
from DiffusionCore.deformation.strength import SEAL, mean_length, with_mean_displacement
from DiffusionCore.registration import register
from DiffusionCore.space import Frame, Grid
from DiffusionCore.storage.files import replacing
from DiffusionCore.synthesis.anatomy import Anatomy
from DiffusionCore.synthesis.fields import FieldSource
from DiffusionCore.synthesis.inputs import SubjectFiles
from DiffusionCore.transforms import Transform, Velocity

FEWEST = 3  # registrations to a case: their mixtures, without the mean, have one dimension less
_MOST = 6
_BETWEEN = "--from--"


@dataclass(frozen=True, eq=False)
class MixedFields(FieldSource):
    """Normal mixtures of the velocities ``vectors`` (N, 3, K, J, I), RAS mm on ``grid``: smooth, their mean is 0."""

    vectors: Tensor
    grid: Grid

    @classmethod
    def read(cls, folder: Path, name: str, law: MultiScale) -> MixedFields:
        """Return the mixtures for the case ``name`` of the registrations in ``folder`` (``register_cases``).

        They come to rest at the borders as random fields of ``law`` do, and are smoothed by half its smallest scale.

        Raises:
            StorageError: there are too few of them, or one cannot be read.
        """
        paths = sorted(folder.glob(f"{name}{_BETWEEN}*.npz"))
        if len(paths) < FEWEST:
            raise StorageError(
                f"Mixtures need at least {FEWEST} registrations to a case, and '{folder}' holds {len(paths)} for "
                f"'{name}'. Give at least {FEWEST + 1} cases that look alike, or choose --source random."
            )
        found = [_read(path) for path in paths]
        vectors = torch.stack([velocity.vectors for velocity in found])
        grid, finest = found[0].grid, law.scales[0]
        smooth = gaussian(vectors - vectors.mean(0), finest / 2, grid.spacing)
        return cls(torch.stack([sealed(each, grid, SEAL * finest) for each in smooth]), grid)

    def draw(self, anatomy: Anatomy, *, generator: torch.Generator) -> list[Transform]:
        weights = torch.randn(len(self.vectors), generator=generator)
        mixed = torch.einsum("n,nckji->ckji", weights, self.vectors)
        mixed = mixed / max(mean_length(mixed, self.grid, anatomy.region), 1e-6)
        return [with_mean_displacement(mixed, self.grid, anatomy.wanted, anatomy.region)]


def register_cases(
    files: Sequence[SubjectFiles],
    folder: Path,
    *,
    others: int = _MOST,
    on_pair: Callable[[], object] = lambda: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Register to each case as many of the ``others``, by their first images, and keep the velocities in ``folder``.

    CASE--from--OTHER.npz has the velocity on a grid of the case. What is there is not registered again; a pair whose
    images cannot be aligned is left out.

    Raises:
        DiffusionCoreError: an image cannot be read or registered, or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(files):
        for step in range(1, min(others, len(files) - 1) + 1):
            other = files[(number + step) % len(files)]
            path = folder / f"{case.name}{_BETWEEN}{other.name}.npz"
            if not path.exists():
                if should_stop():
                    return
                fixed, moving = (each.read().images[0] for each in (case, other))
                found = register(fixed, moving, DeformableSettings())
                _, velocity = split(found.transform, fixed.grid)
                if velocity is not None:
                    _write(path, velocity)
            on_pair()


def pairs_to_register(cases: int) -> int:
    """Return how many registrations ``register_cases`` makes of so many cases."""
    return cases * min(_MOST, cases - 1)


def _write(path: Path, velocity: Velocity) -> None:
    matrix = velocity.grid.matrix(Frame.VOXEL, Frame.RAS)
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, vectors=velocity.vectors.numpy(), matrix=matrix)


def _read(path: Path) -> Velocity:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            vectors, matrix = torch.from_numpy(arrays["vectors"]), arrays["matrix"]
        k, j, i = vectors.shape[1:]
        return Velocity(vectors, Grid.from_matrix(matrix, (i, j, k)))
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise StorageError(
            f"The registration '{path}' cannot be read ({error}). Remove it to have it made anew."
        ) from error
