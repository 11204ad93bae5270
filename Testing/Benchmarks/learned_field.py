"""What a learned field brings: on synthetic pairs whose deformation is known, and on real brains with labels.

    python Testing/Benchmarks/learned_field.py synthetic --model MODEL
    python Testing/Benchmarks/learned_field.py brains FOLDER ... --model MODEL

``synthetic`` prints the mean distance in mm, within the object, from the known transform, for pairs of one and of two
contrasts. ``brains`` takes folders with fixed, moving, fixed_seg and moving_seg (.nii.gz) and prints the mean Dice of
all labels, of 14 subcortical ones and of the cortex (Neuromorphometrics), the deviation of ln J within the labels, and
CPU seconds without those of the affine registration, which all rows share. With ``--contrast`` the moving image is
inverted or remapped first. All on one thread; the rows: nothing, the refinement by local correlation, the refinement
after the passes of the network that are accepted, and the network after each pass, accepted or not. With
``--samples`` a model of the kind "diffusereg" is sampled, too.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from DiffusionCore.benchmark.contrasts import Contrast, shown_in
from DiffusionCore.benchmark.scores import FIRST_CORTICAL, SUBCORTICAL
from DiffusionCore.deformable.learned import LearnedSettings, load_learned
from DiffusionCore.deformable.pipeline import DeformableSettings
from DiffusionCore.deformable.sampled import SampledSettings
from DiffusionCore.deformable.settings import Preset, RefinementSettings
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.metrics import dice, jacobian_statistics, mean_dice, point_error
from DiffusionCore.registration import register
from DiffusionCore.space import Volume
from DiffusionCore.storage.volumes import read_volume
from DiffusionCore.training.field_pairs import FieldPairs, FieldPairsConfig, draw_field_pairs
from DiffusionCore.training.head_pool import draw_head_pool
from DiffusionCore.transforms import Affine, Transform, Velocity, resample, voxel_centers
from DiffusionCore.transforms.displacement import ras_vectors

PASSES = 4
COARSE = RefinementSettings(spacing=4.0, iterations=(20, 20))  # what the network's resolution compares with
BRIEF = RefinementSettings(spacing=4.0, iterations=(5, 5))


def transforms(
    fixed: Volume, moving: Volume, start: Affine, model: str, after: dict[str, RefinementSettings], samples: int = 0
) -> Iterator[tuple[str, Transform, float]]:
    """Yield (row, transform, CPU seconds) of every way to go on from ``start``."""
    yield "nothing", start, 0.0
    before = {"": None} | {f"network x{n}": LearnedSettings(model, passes=n) for n in (2, PASSES)}
    if samples:
        before[f"{samples} samples"] = SampledSettings(model, samples=samples)
    for label, learned in before.items():
        for name, settings in {"": None, **after}.items():
            if settings is None and not isinstance(learned, SampledSettings):
                continue  # every pass of a network is shown below
            begun = time.process_time()
            plan = DeformableSettings(affine=None, learned=learned, refinement=settings)
            found = register(fixed, moving, plan, initial_transform=start)
            row = " + ".join(part for part in (label, name and f"refinement {name}") if part)
            yield row, found.transform, time.process_time() - begun
    field = load_learned(LearnedSettings(model, passes=PASSES))
    begun = time.process_time()
    estimates = list(field.estimates(fixed, moving, start))[1:]
    spent = time.process_time() - begun
    for number, estimate in enumerate(estimates, start=1):
        yield f"network x{number}", start @ estimate.velocity, spent * number / PASSES


def synthetic(options: argparse.Namespace) -> None:
    """Print mean distances over pairs of heads that no training draws."""
    pool = draw_head_pool(8, generator=torch.Generator().manual_seed(options.seed))
    for name, share in (("one contrast", 1.0), ("two contrasts", 0.0)):
        config = FieldPairsConfig(same_contrast=share, deviation=(options.deviation, options.deviation))
        generator = torch.Generator().manual_seed(options.seed + 1)
        pairs = draw_field_pairs(pool, config, options.pairs, generator=generator)
        rows: dict[str, list[tuple[float, float]]] = {}
        for number in range(options.pairs):
            fixed, moving, truth, mask = known(pairs, config, number)
            points = voxel_centers(fixed.grid)[mask]
            for row, transform, seconds in transforms(
                fixed, moving, Affine.identity(), options.model, {"20+20": COARSE, "5+5": BRIEF}
            ):
                rows.setdefault(row, []).append((float(point_error(transform, truth, points).mean()), seconds))
        say(f"{name}, {options.pairs} pairs, {options.deviation} mm per component: mm, CPU s")
        for row, values in rows.items():
            say(f"  {row:<34}{np.mean([v[0] for v in values]):6.2f}{np.mean([v[1] for v in values]):8.2f}")


def known(pairs: FieldPairs, config: FieldPairsConfig, number: int) -> tuple[Volume, Volume, Transform, torch.Tensor]:
    """Return the two volumes of a pair, the transform between them, and the mask of the fixed object."""
    grid = config.grid
    i, j, k = (n // 2 for n in grid.size)
    coarse = grid.resized((i, j, k))
    truth = Velocity(ras_vectors(pairs.velocities[number], coarse), coarse)
    fixed, moving = (Volume(images[number, 0].numpy(), grid) for images in (pairs.fixed, pairs.moving))
    return fixed, moving, truth, pairs.fixed[number, 0] > 0


def brains(options: argparse.Namespace) -> None:
    """Print the overlap of labels on real pairs."""
    for folder in options.folders:
        fixed, moving = (read_volume(folder / f"{name}.nii.gz") for name in ("fixed", "moving"))
        moving = shown_in(moving, Contrast(options.contrast))
        labels = [read_volume(folder / f"{name}_seg.nii.gz") for name in ("fixed", "moving")]
        start = register(fixed, moving).transform
        say(f"{folder.name}, {options.contrast}: Dice, subcortical, cortex, SD ln J, CPU s")
        after = {name: RefinementSettings.of(Preset(name)) for name in options.presets}
        for row, transform, seconds in transforms(fixed, moving, start, options.model, after, options.samples):
            scores = dice(labels[0].values, warped_labels(labels, transform))
            subcortical = {n: v for n, v in scores.items() if n in SUBCORTICAL}
            parts = (scores, subcortical, {n: v for n, v in scores.items() if n >= FIRST_CORTICAL})
            regular = jacobian_statistics(transform, fixed.grid, labels[0].values > 0).log_deviation
            say(f"  {row:<34}" + "".join(f"{mean_dice(part):7.3f}" for part in parts) + f"{regular:8.3f}{seconds:8.2f}")


def warped_labels(labels: list[Volume], transform: Transform) -> np.ndarray:
    """Return the moving labels on the fixed grid."""
    return resample(labels[1], labels[0].grid, transform, interpolation=Interpolation.NEAREST).values


def say(line: str) -> None:
    """Print ``line``."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    first = commands.add_parser("synthetic")
    first.add_argument("--pairs", type=int, default=16)
    first.add_argument("--deviation", type=float, default=2.3, help="root mean square of a component, mm")
    first.add_argument("--seed", type=int, default=77)
    first.set_defaults(run=synthetic)
    second = commands.add_parser("brains")
    second.add_argument("folders", nargs="+", type=Path)
    second.add_argument("--contrast", choices=[contrast.value for contrast in Contrast], default="same")
    second.add_argument("--samples", type=int, default=0, help="to draw in 15 steps, of a model that can be sampled")
    second.add_argument("--presets", nargs="+", default=["fast"], help="of the refinement")
    second.set_defaults(run=brains)
    for command in (first, second):
        command.add_argument("--model", default="voxelmorph")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.run(options)


if __name__ == "__main__":
    main()
