"""What a random deformation costs, by the published procedure and by ours, and whether it is the same law.

    python Testing/Benchmarks/deformation_sample.py --size 128 --times 10 30 48 64 79
    python Testing/Benchmarks/deformation_sample.py --set FOLDER --count 100 --workers 2

The first prints, for the field and its label of one training sample, CPU seconds on one thread of the procedure written
down again from its description (Testing/Core/published_deformations.py) and of ours, for the same random numbers; the
standard deviation of a component in voxels of both, and the root mean square of what differs. The drawing of the random
velocity, which both share, does not count. The second writes variants of a labeled template of 128 voxels a side as
nnU-Net has them and prints CPU seconds of all processes, files and start included, and what the manifest says of all
variants; it needs an empty FOLDER. The template is the ICBM one that nilearn brings.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from DiffusionCore.deformation.published import draw_velocity, published_fields
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.sample import make_sample
from DiffusionCore.space import Grid
from DiffusionCore.storage.volumes import read_volume, write_volume
from DiffusionCore.synthesis.batch import Order, make_set
from DiffusionCore.synthesis.inputs import SubjectFiles
from DiffusionCore.transforms import Affine, resample

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Core"))
from published_deformations import composed_fields


def compare(size: int, times: list[int]) -> None:
    """Print one row for each of ``times``."""
    print("   t   published s   ours s   ratio   std published   std ours   rms difference")  # noqa: T201
    for number, at in enumerate(times):
        generator = torch.Generator().manual_seed(number)
        velocity = draw_velocity(1, generator=generator)
        noise = draw_velocity(1, share=0.08, generator=generator)
        theirs, slow = _timed(lambda v=velocity, w=noise, t=at: composed_fields(v, w, t, size))
        tries = [_timed(lambda v=velocity, w=noise, t=at: published_fields(v, w, t, size)) for _ in range(3)]
        ours, fast = tries[0][0], sorted(seconds for _, seconds in tries)[1]
        apart = (ours.deformation - theirs.deformation).square().mean().sqrt()
        stds = [float(fields.deformation.std()) for fields in (theirs, ours)]
        print(  # noqa: T201
            f"{at:4d} {slow:13.2f} {fast:8.3f} {slow / fast:7.1f} {stds[0]:15.2f} {stds[1]:10.2f} {float(apart):16.2f}"
        )


def fill(folder: Path, count: int, workers: int) -> None:
    """Write ``count`` variants into ``folder`` and print what they cost."""
    sample = make_sample()
    grid = Grid((128, 128, 128), (1.6, 1.6, 1.6)).with_center(tuple(sample.fixed.grid.center))
    image = resample(sample.fixed, grid, Affine.identity())
    labels = resample(sample.fixed_segmentation, grid, Affine.identity(), interpolation=Interpolation.NEAREST)
    folder.mkdir(parents=True, exist_ok=True)
    write_volume(folder / "template.nii.gz", image)
    write_volume(folder / "template_seg.nii.gz", labels)
    files = SubjectFiles("template", (folder / "template.nii.gz",), (folder / "template_seg.nii.gz",))
    begun, cpu = time.monotonic(), _cpu_seconds()
    outcome = make_set(Order((files,), folder / "set", indices=range(count)), workers=workers)
    spent, passed = _cpu_seconds() - cpu, time.monotonic() - begun
    print(f"{outcome.made} variants of {grid.size} voxels by {workers} processes, {outcome.redrawn} draws failed:")  # noqa: T201
    print(f"{spent:.1f} CPU s, {spent / outcome.made:.2f} each; {passed:.1f} s on the clock")  # noqa: T201
    samples = json.loads(outcome.manifest.read_text())["samples"]
    moved = [each["mean_displacement_mm"] / each["wanted_displacement_mm"] for each in samples]
    known = labels_in(labels.values)
    kept = sum(labels_in(read_volume(folder / "set" / each["files"][1]).values) == known for each in samples)
    print(f"folding at most {max(each['folding_percent'] for each in samples)} %")  # noqa: T201
    print(f"mean displacement {min(moved):.3f} to {max(moved):.3f} of the wanted one")  # noqa: T201
    print(f"all labels in {kept} of {len(samples)} label files")  # noqa: T201


def labels_in(values: np.ndarray) -> set[int]:
    """Return the labels that are there."""
    return set(np.unique(values).tolist())


def _timed(make: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.process_time()
    return make(), time.process_time() - begun


def _cpu_seconds() -> float:
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """Run what the command line asks for, on one thread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--times", type=int, nargs="+", default=[10, 30, 48, 64, 79])
    parser.add_argument("--set", type=Path, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.set is not None:
        fill(options.set, options.count, options.workers)
    else:
        compare(options.size, options.times)


if __name__ == "__main__":
    main()
