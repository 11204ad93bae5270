"""How natural deformed brains look: plain, symmetric, recovered fields at equal displacement, against real brains.

    python Testing/Benchmarks/deformation_plausibility.py FOLDER --model drdm --output DIR --sources 5 --samples 6

FOLDER holds brains NAME.nii.gz with Neuromorphometrics labels NAME_seg.nii.gz. The last --sources of them by name are
deformed; the others are the reference. Prints, as means over all variants with their standard errors, the asymmetry and
volume z-scores of 11 paired structures and 24 structures (synthesis/plausibility.py), the correlation of the image with
its mirror image across the mid-plane of the undeformed one, the standard deviation of ln J in the tissue, and the
distance from the fields of --pairs real registrations between the sources (field_likeness.py). No draw is left out. DIR
keeps what was measured of one model: the same command goes on where it was stopped, and --samples may grow.
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

from DiffusionCore.affine.foreground import foreground_mask
from DiffusionCore.deformation.strength import mean_displacement
from DiffusionCore.deformation.symmetry import MidPlane, find_mid_plane, likeness
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.metrics import jacobian_statistics
from DiffusionCore.storage.files import replacing
from DiffusionCore.synthesis.anatomy import Anatomy
from DiffusionCore.synthesis.fields import FieldSource, RandomFields, RecoveredFields
from DiffusionCore.synthesis.inputs import find_subjects
from DiffusionCore.synthesis.plausibility import VolumeReference
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.synthesis.subject import Subject
from DiffusionCore.synthesis.synthesizer import sample_generator
from DiffusionCore.transforms import Transform, resample

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
    parser.add_argument("--pairs", type=int, default=10, help="of sources that are registered")
    parser.add_argument("--output", type=Path, required=True, help="folder that keeps the real fields")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.output.mkdir(parents=True, exist_ok=True)
    files = find_subjects(options.folder)
    cases = {each.name: each.read() for each in files}
    known = [volumes(case.segmentations[0].volume.values) for case in cases.values()]
    reference = VolumeReference.of(known[: -options.sources], PAIRS)
    sources = dict(list(cases.items())[-options.sources :])
    settings = SynthesisSettings(symmetry="off")
    anatomies = {name: Anatomy.of(case, settings) for name, case in sources.items()}
    fields: dict[str, dict[str, FieldSource]] = {
        "": {name: RandomFields(s.images[0].grid) for name, s in sources.items()}
    }
    if options.model:
        fields["recovered "] = {name: RecoveredFields(s.images[0], options.model) for name, s in sources.items()}
    images = {name: case.images[0] for name, case in sources.items()}
    planes = dict(zip(sources, (find_mid_plane(image)[0] for image in images.values()), strict=True))
    real = real_statistics(images, planes, options.output / "real_fields.json", options.pairs)
    heads = ("mm", "asymmetry z", "volume z", "mirror", "SD ln J", "distance", *NAMES)
    print(" " * 24 + "".join(f"{head:>18}" for head in heads))  # noqa: T201
    scores = [(0.0, *reference.scores(one)) for one in known[-options.sources :]]
    alike = [likeness(image, planes[name]) for name, image in images.items()]
    _print("the brains themselves", [(*one, same) for one, same in zip(scores, alike, strict=True)])
    blank = (math.nan,) * 5
    _print("real fields", [(*blank, distance(one, np.delete(real, n, 0)), *one) for n, one in enumerate(real)])
    store = options.output / "variants.json"
    rows = json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}
    names = [f"{kind}{side} {x:g}" for x in options.strengths for kind in fields for side in ("plain", "symmetric")]
    for index, name, subject in itertools.product(range(options.samples), names, sources):
        *_, side, strength = name.split()
        if (key := f"{subject} {index} {name}") not in rows:
            wanted = mean_displacement(float(strength), anatomies[subject].extent)
            plane = planes[subject] if side == "symmetric" else None
            anatomy = replace(anatomies[subject], wanted=wanted, plane=plane)
            source = fields["recovered " if name.startswith("recovered") else ""][subject]
            *_, field = source.draw(anatomy, generator=sample_generator(0, index, 0))
            rows[key] = _judged(sources[subject], anatomy, field, reference, planes[subject])
            with replacing(store) as unfinished:
                unfinished.write_text(json.dumps(rows), encoding="utf-8")
    for name in names:
        found = [row for key, row in rows.items() if key.split(" ", 2)[2] == name]
        _print(name, [(*row[:5], distance(row[5:], real), *row[5:]) for row in found])


def _judged(
    case: Subject, anatomy: Anatomy, field: Transform, reference: VolumeReference, plane: MidPlane
) -> tuple[float, ...]:
    """Return the mean displacement, both z-scores, how alike both sides are, SD ln J, and the numbers of the field."""
    image, labels = case.images[0], case.segmentations[0].volume
    made = resample(labels, image.grid, field, interpolation=Interpolation.NEAREST)
    scores = reference.scores(volumes(made.values))
    moved = float((field.map(anatomy.region) - anatomy.region).norm(dim=-1).mean())
    deviation = jacobian_statistics(field, image.grid, foreground_mask(image)).log_deviation
    same = likeness(resample(image, image.grid, field), plane)
    return moved, *scores, same, deviation, *statistics(field, image, plane)


def _print(name: str, rows: Sequence[Sequence[float]]) -> None:
    means, errors = np.mean(rows, 0), np.std(rows, 0, ddof=1) / math.sqrt(len(rows))
    cells = (f"{mean:10.3f} +-{error:.3f}" for mean, error in zip(means, errors, strict=True))
    print(f"{name:24}" + "".join(f"{cell:>18}" for cell in cells), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
