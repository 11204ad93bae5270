"""How much of a random deformation does a recovery network undo, on brains that it never saw?

    python Testing/Benchmarks/recovery.py FOLDER --model MODEL --sources 5 --draws 4

The last --sources images of FOLDER by name are deformed by --draws random fields each, the same ones at every level and
for every model. Prints, with the standard error over the sources: the share of the variance of the velocity that the
network finds in one look (in the tissue, on its lattice), and the share of the deformation (rms in the tissue of the
undeformed image) that is undone in 1 and in 5 steps. A negative share would mean that it makes things worse. The last
column is how far an undeformed image is moved by 5 steps from this level, in mm: the pull towards the mean anatomy.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from DiffusionCore.build import load_network
from DiffusionCore.deformation.random_fields import MultiScale
from DiffusionCore.deformation.recovery import Recovery
from DiffusionCore.deformation.strength import SYMMETRIC
from DiffusionCore.deformation.symmetry import symmetrized
from DiffusionCore.interpolation import pull_at
from DiffusionCore.networks.recovery import RecoveryNetwork, mirrored_field
from DiffusionCore.storage.volumes import read_volume
from DiffusionCore.training.recovery import image_files
from DiffusionCore.transforms.displacement import ras_vectors, voxel_vectors

_TISSUE = 0.1  # of the mean foreground


def shares(recovery: Recovery, unit: Tensor, level: float) -> tuple[float, float, float]:
    """Return the shares of variance found, and of the deformation undone in 1 and in 5 steps."""
    tissue = recovery.seen[0, 0] > _TISSUE
    start, once = recovery.steps(unit, level, 1)
    *_, last = recovery.steps(unit, level, 5)
    lengths = [float(state.vectors[:, tissue].square().sum(0).mean().sqrt()) for state in (start, once, last)]
    looked = pull_at(recovery.seen, voxel_vectors(start.vectors, recovery.grid)[None])
    with torch.no_grad():
        found = recovery.estimate(looked, torch.tensor([level])).float()
    block = recovery.grid.size[0] // found.shape[-1]
    along = voxel_vectors(unit, recovery.grid)[None] * recovery.grid.spacing[0]
    target, inside = F.avg_pool3d(along, block), F.avg_pool3d((looked > _TISSUE).float(), block)
    left = float((inside * (found - target).square()).sum() / (inside * target.square()).sum())
    return 1 - left, 1 - lengths[1] / lengths[0], 1 - lengths[2] / lengths[0]


def draw_unit(recovery: Recovery, symmetric: bool, number: int) -> Tensor:
    """Return random velocity ``number`` on the grid of ``recovery`` (3, K, J, I), RAS mm."""
    drawn = MultiScale().draw(recovery.grid, generator=torch.Generator().manual_seed(number))[None]
    if symmetric:
        drawn = symmetrized(drawn, mirrored_field(drawn), SYMMETRIC)
    return ras_vectors(drawn[0] / recovery.grid.spacing[0], recovery.grid)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="drdm", metavar="NAME|PATH")
    parser.add_argument("--sources", type=int, default=5)
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--levels", type=float, nargs="+", default=[3, 5, 8, 12])
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = load_network(options.model, "drdm", "cpu")
    assert isinstance(network, RecoveryNetwork)  # the kind says so
    files = image_files(str(options.folder), 0)[-options.sources :]
    recoveries = [Recovery.of(network, read_volume(path)) for path in files]
    print("fields     level  variance found  undone in 1    undone in 5    undeformed moves, mm")  # noqa: T201
    for symmetric in (False, True):
        for level in options.levels:
            rows = []
            for n, recovery in enumerate(recoveries):
                units = [draw_unit(recovery, symmetric, 100 * n + draw) for draw in range(options.draws)]
                rows.append(np.mean([shares(recovery, unit, level) for unit in units], 0))
            *_, rest = recoveries[0].steps(torch.zeros(3, *recoveries[0].grid.shape), level, 5)
            moved = float(rest.vectors[:, recoveries[0].seen[0, 0] > _TISSUE].norm(dim=0).mean())
            means, errors = np.mean(rows, 0), np.std(rows, 0, ddof=1) / len(rows) ** 0.5
            cells = "  ".join(f"{m:6.3f} +- {e:.3f}" for m, e in zip(means, errors, strict=True))
            print(f"{'symmetric' if symmetric else 'plain':9} {level:4g} mm  {cells}  {moved:5.2f}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
