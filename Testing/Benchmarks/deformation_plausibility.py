"""How natural deformed brains look: plain, symmetric, recovered fields at equal displacement, against real brains.

    python Testing/Benchmarks/deformation_plausibility.py FOLDER --model drdm --output DIR --sources 5 --samples 6

FOLDER holds brains NAME.nii.gz with Neuromorphometrics labels NAME_seg.nii.gz. The last --sources of them by name are
deformed; the others are the reference. Prints, as means over all variants with their standard errors, the asymmetry and
volume z-scores of 11 paired structures and 24 structures (synthesis/plausibility.py), the correlation of the image with
its mirror image across the mid-plane, the standard deviation of ln J, and the distance from the fields of real
registrations between the sources (field_likeness.py). Draws are not selected by their labels. DIR keeps what was
measured of one model: the same command goes on where it was stopped, and --samples may grow.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from field_likeness import NAMES, distance, real_statistics, statistics

from DiffusionCore.deformation.strength import mean_displacement
from DiffusionCore.deformation.symmetry import MidPlane, find_mid_plane
from DiffusionCore.storage.files import replacing
from DiffusionCore.synthesis.inputs import find_subjects
from DiffusionCore.synthesis.plausibility import VolumeReference
from DiffusionCore.synthesis.settings import Limits, SynthesisSettings
from DiffusionCore.synthesis.synthesizer import Synthesizer, Variant

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
    parser.add_argument("--samples", type=int, default=6)
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.6, 1.0])
    parser.add_argument("--model", metavar="NAME|PATH", help="of kind drdm: its recovered fields, too")
    parser.add_argument("--output", type=Path, required=True, help="folder that keeps the real fields")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.output.mkdir(parents=True, exist_ok=True)
    files = find_subjects(options.folder)
    cases = {each.name: each.read() for each in files}
    known = [volumes(case.segmentations[0].volume.values) for case in cases.values()]
    reference = VolumeReference.of(known[: -options.sources], PAIRS)
    sources = dict(list(cases.items())[-options.sources :])
    settings = SynthesisSettings(symmetry="off", limits=Limits(math.inf, 10**9))
    kinds = {"": [Synthesizer(case, settings) for case in sources.values()]}
    if options.model:
        learned = replace(settings, model=options.model)
        kinds["recovered "] = [Synthesizer(case, learned) for case in sources.values()]
    images = {name: case.images[0] for name, case in sources.items()}
    planes = dict(zip(sources, (find_mid_plane(image)[0] for image in images.values()), strict=True))
    real = real_statistics(images, planes, options.output / "real_fields.json")
    heads = ("mm", "asymmetry z", "volume z", "mirror", "SD ln J", "distance", *NAMES)
    print(" " * 24 + "".join(f"{head:>18}" for head in heads))  # noqa: T201
    scores = [(0.0, *reference.scores(one)) for one in known[-options.sources :]]
    likeness = [find_mid_plane(image)[1] for image in images.values()]
    _print("the brains themselves", [(*one, alike) for one, alike in zip(scores, likeness, strict=True)])
    blank = (math.nan,) * 5
    _print("real fields", [(*blank, distance(one, np.delete(real, n, 0)), *one) for n, one in enumerate(real)])
    store = options.output / "variants.json"
    rows = json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}
    names = [f"{kind}{side} {x:g}" for x in options.strengths for kind in kinds for side in ("plain", "symmetric")]
    for index, name, number in itertools.product(range(options.samples), names, range(len(sources))):
        *_, side, strength = name.split()
        source = kinds["recovered " if name.startswith("recovered") else ""][number]
        key = f"{source.subject.name} {index} {name}"
        if key not in rows:
            known_plane = planes[source.subject.name]
            plane = known_plane if side == "symmetric" else None
            wanted = mean_displacement(float(strength), source.anatomy.extent)
            source.anatomy = replace(source.anatomy, wanted=wanted, plane=plane)
            rows[key] = _judged(source.variant(index), reference, known_plane)
            with replacing(store) as unfinished:
                unfinished.write_text(json.dumps(rows), encoding="utf-8")
    for name in names:
        found = [row for key, row in rows.items() if key.split(" ", 2)[2] == name]
        _print(name, [(*row[:5], distance(row[5:], real), *row[5:]) for row in found])


def _judged(variant: Variant, reference: VolumeReference, plane: MidPlane) -> tuple[float, ...]:
    """Return the mean displacement, both z-scores, how alike both sides are, SD ln J, and the numbers of the field."""
    image, checks = variant.subject.images[0], variant.checks
    scores = reference.scores(volumes(variant.subject.segmentations[0].volume.values))
    numbers = statistics(variant.transform, image, plane)
    return checks.mean_displacement_mm, *scores, find_mid_plane(image)[1], checks.log_jacobian_deviation, *numbers


def _print(name: str, rows: Sequence[Sequence[float]]) -> None:
    means, errors = np.mean(rows, 0), np.std(rows, 0, ddof=1) / math.sqrt(len(rows))
    cells = (f"{mean:10.3f} +-{error:.3f}" for mean, error in zip(means, errors, strict=True))
    print(f"{name:24}" + "".join(f"{cell:>18}" for cell in cells), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
