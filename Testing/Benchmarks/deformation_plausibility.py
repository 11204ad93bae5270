"""How natural deformed brains look: plain, symmetric, recovered fields at equal displacement, against real brains.

    python Testing/Benchmarks/deformation_plausibility.py FOLDER --sources 5 --samples 3

FOLDER holds brains NAME.nii.gz with Neuromorphometrics labels NAME_seg.nii.gz. The last --sources of them by name are
deformed; the others are the reference. Prints, as means over all variants, the asymmetry and volume z-scores of 11
paired structures and 13 structures (synthesis/plausibility.py), the correlation of the image with its mirror image
across the mid-plane, and the standard deviation of ln J. Draws are not selected by their labels.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from DiffusionCore.deformation.strength import mean_displacement
from DiffusionCore.deformation.symmetry import find_mid_plane
from DiffusionCore.synthesis.inputs import find_subjects
from DiffusionCore.synthesis.plausibility import VolumeReference
from DiffusionCore.synthesis.settings import Limits, SynthesisSettings
from DiffusionCore.synthesis.synthesizer import Synthesizer

PAIRS = ((30, 23), (32, 31), (37, 36), (39, 38), (41, 40), (45, 44), (48, 47), (52, 51), (56, 55), (58, 57), (60, 59))
STRUCTURES = {label for pair in PAIRS for label in pair} | {11, 35}  # 4th ventricle, brain stem


def volumes(values: np.ndarray) -> dict[int, int]:
    """Return the voxels of each structure."""
    labels, counts = np.unique(values, return_counts=True)
    found = dict(zip(labels.tolist(), counts.tolist(), strict=True))
    return {label: count for label, count in found.items() if label in STRUCTURES}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sources", type=int, default=5)
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.3, 0.6, 1.0])
    parser.add_argument("--model", metavar="NAME|PATH", help="of kind drdm: recovers the fields before they are judged")
    options = parser.parse_args()
    torch.set_num_threads(1)
    files = find_subjects(options.folder)
    known = [volumes(each.read().segmentations[0].volume.values) for each in files]
    reference = VolumeReference.of(known[: -options.sources], PAIRS)
    rows = [
        ("real, held out", *reference.scores(known[-n]), np.nan, np.nan, np.nan) for n in range(options.sources, 0, -1)
    ]
    print("fields, strength            mm   asymmetry z  volume z  mirror cc  SD ln J")  # noqa: T201
    _print("real, held out", rows)
    settings = SynthesisSettings(symmetry="on", model=options.model, limits=Limits(math.inf, 10**9))
    made = [Synthesizer(each.read(), settings) for each in files[-options.sources :]]
    for strength in options.strengths:
        for symmetry in ("off", "on"):
            rows = []
            for source in made:
                anatomy = source.anatomy
                plane = anatomy.plane if symmetry == "on" else None
                wanted = mean_displacement(strength, anatomy.extent)
                source.anatomy = replace(anatomy, wanted=wanted, plane=plane)
                for index in range(options.samples):
                    variant = source.variant(index)
                    scores = reference.scores(volumes(variant.subject.segmentations[0].volume.values))
                    checks = variant.checks
                    likeness = find_mid_plane(variant.subject.images[0])[1]
                    rows.append(("", *scores, likeness, checks.log_jacobian_deviation, checks.mean_displacement_mm))
                source.anatomy = anatomy
            kind = "symmetric" if symmetry == "on" else "plain"
            _print(f"{kind}{', recovered' if options.model else ''} {strength:g}", rows)


def _print(name: str, rows: list[tuple]) -> None:
    asymmetry, volume, mirror, deviation, moved = np.array([row[1:] for row in rows], float).mean(0)
    print(  # noqa: T201
        f"{name:24} {moved:6.2f} {asymmetry:10.2f} {volume:10.2f} {mirror:10.3f} {deviation:8.3f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
