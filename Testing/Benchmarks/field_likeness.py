"""Do random fields look like real ones, from one subject to another? Statistics of a field, and of all real ones.

Only what is left of a field after the best affine map (least squares over the tissue, on a lattice of 8 mm) counts, and
nothing depends on its strength but the first number, which is nearly proportional to it. All five are our own:

roughness   deviation of ln J in the tissue over the rms displacement, 1/mm
coarse      share of the variance that the mean over a cube of 24, 40 and 72 mm keeps (three numbers)
alike       share of the variance that is the same on both sides of the mid-plane; .5 if both move independently

The distance of a field from the real ones is the root mean square of its z-scores in these numbers; of a real one it is
about 1.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from DiffusionCore.affine.foreground import foreground_mask
from DiffusionCore.deformable.pipeline import DeformableSettings
from DiffusionCore.deformation.symmetry import MidPlane
from DiffusionCore.metrics import jacobian_statistics
from DiffusionCore.registration import register
from DiffusionCore.space import Volume
from DiffusionCore.storage.files import replacing
from DiffusionCore.transforms import Transform, voxel_centers

NAMES = ("roughness", "coarse 24", "coarse 40", "coarse 72", "alike")
_LATTICE = 8.0  # mm
_CUBES = (3, 5, 9)  # voxels of the lattice


def statistics(transform: Transform, image: Volume, plane: MidPlane) -> tuple[float, ...]:
    """Return the five numbers of ``transform``, points of ``image`` (whose mid-plane is ``plane``) to another's."""
    grid = image.grid.with_spacing(_LATTICE)
    points = voxel_centers(grid, dtype=torch.float32)
    mask = foreground_mask(image)
    tissue = F.interpolate(torch.from_numpy(mask).float()[None, None], grid.shape, mode="area") > 0.5
    moved = transform.map(points) - points
    design = torch.cat([points, torch.ones_like(points[..., :1])], -1)[tissue[0, 0]].double()
    affine = torch.linalg.lstsq(design, moved[tissue[0, 0]].double()).solution.float()
    rest = (moved - torch.cat([points, torch.ones_like(points[..., :1])], -1) @ affine).movedim(-1, 0)[None] * tissue
    power = _power(rest, tissue)
    deviation = jacobian_statistics(transform, image.grid, mask).log_deviation
    coarse = [_power(_mean(rest, tissue, cube), tissue) / power for cube in _CUBES]
    both = rest[0], plane.mirrored(rest[0], grid)
    common = tissue[0] & (plane.mirrored(tissue[0].float(), grid) > 0.5)
    alike, opposite = (_power((a * common)[None], tissue) for a in (both[0] + both[1], both[0] - both[1]))
    return deviation / power**0.5, *coarse, alike / (alike + opposite)


def real_statistics(
    images: dict[str, Volume], planes: dict[str, MidPlane], store: Path, count: int
) -> NDArray[np.float64]:
    """Return the numbers of registrations between ``count`` pairs of the ``images``, kept in the file ``store``."""
    known = json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}
    pairs = list(itertools.combinations(images, 2))[:count]
    for fixed, moving in pairs:
        if (key := f"{moving} to {fixed}") not in known:
            found = register(images[fixed], images[moving], DeformableSettings(), device="cpu").transform
            known[key] = statistics(found, images[fixed], planes[fixed])
            with replacing(store) as unfinished:
                unfinished.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return np.array([known[f"{moving} to {fixed}"] for fixed, moving in pairs])


def distance(numbers: Sequence[float], real: NDArray[np.float64]) -> float:
    """Return the rms z-score of the ``numbers`` of a field against those of the ``real`` ones (N, 5)."""
    return float(np.sqrt(np.mean(((np.array(numbers) - real.mean(0)) / real.std(0, ddof=1)) ** 2)))


def _power(field: Tensor, tissue: Tensor) -> float:
    """Return the mean square length, over the ``tissue``, of ``field`` (1, 3, K, J, I)."""
    return float((field.square().sum(1, keepdim=True) * tissue).sum() / tissue.sum())


def _mean(field: Tensor, tissue: Tensor, cube: int) -> Tensor:
    """Return the mean of ``field`` over cubes of the ``tissue`` about each voxel."""
    total, share = (F.avg_pool3d(x, cube, 1, cube // 2) for x in (field * tissue, tissue.float()))
    return total / share.clamp(min=1e-6)
