"""Does the affine registration find affines that are known, of real heads and in any contrast?

    python Testing/Benchmarks/known_affines.py IMAGE ... [--model MODEL ...] [--seeds N] [--spacing MM]
                                               [--output FILE.json]

Every image is registered to a copy of itself, moved by a known affine: scales of .8 to 1.2 along its axes, shears of up
to .05, a shift of 15 to 30 mm, and a turn about any axis by so many degrees as the kind says; of "cut" the copy lost a
third of the head along an axis of its own. Prints, for each model and kind, the mean distance in mm from the truth over
the points of the head, medians over the images and seeds: at the start, after the pose steps alone, and at the end of
the registration. One thread; the same affines for every model.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from DiffusionCore.affine.pipeline import AffinePipeline, AffineSettings
from DiffusionCore.benchmark.contrasts import Contrast, shown_in
from DiffusionCore.metrics import point_error
from DiffusionCore.space import Volume
from DiffusionCore.space.intensities import intensity_levels
from DiffusionCore.storage.volumes import read_volume
from DiffusionCore.transforms import Affine, resample, voxel_centers

LOST = 1 / 3  # of the head, where it is cut


@dataclass(frozen=True)
class Kind:
    """What a copy is like: turned by ``degrees`` at least and at most, in a ``contrast``, ``cut`` or whole."""

    degrees: tuple[float, float]
    contrast: Contrast = Contrast.SAME
    cut: bool = False


KINDS = {
    "30-45 degrees": Kind((30, 45)),
    "60-90 degrees": Kind((60, 90)),
    "90-180 degrees": Kind((90, 180)),
    "a third of the head cut away": Kind((15, 30), cut=True),
    "30-45 degrees, inverted": Kind((30, 45), Contrast.INVERTED),
    "60-90 degrees, inverted": Kind((60, 90), Contrast.INVERTED),
    "30-45 degrees, remapped": Kind((30, 45), Contrast.REMAPPED),
    "60-90 degrees, remapped": Kind((60, 90), Contrast.REMAPPED),
}


def draw(kind: Kind, center: np.ndarray, generator: np.random.Generator) -> Affine:
    """Return an affine of ``kind`` about ``center``, RAS mm."""
    axis, shift = (v / np.linalg.norm(v) for v in generator.normal(size=(2, 3)))
    turn = Rotation.from_rotvec(generator.uniform(*kind.degrees) * axis, degrees=True).as_matrix()
    stretch = np.diag(generator.uniform(0.8, 1.2, 3)) + np.triu(generator.uniform(-0.05, 0.05, (3, 3)), 1)
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ stretch
    matrix[:3, 3] = center + generator.uniform(15, 30) * shift - matrix[:3, :3] @ center
    return Affine(torch.from_numpy(matrix))


def head_points(volume: Volume) -> torch.Tensor:
    """Return the points of the head of ``volume`` (N, 3), RAS mm."""
    inside = volume.values > intensity_levels(volume.values)[1]
    return voxel_centers(volume.grid)[torch.from_numpy(inside)]


def cut(volume: Volume, generator: np.random.Generator) -> Volume:
    """Return ``volume`` without a part of its head, at either end of one axis of the grid."""
    axis, background = int(generator.integers(3)), volume.values.min()
    places = np.indices(volume.values.shape)[axis]
    if generator.integers(2):
        places = -places
    head = places[volume.values > intensity_levels(volume.values)[1]]
    return replace(volume, values=np.where(places > np.quantile(head, 1 - LOST), background, volume.values))


def moved(volume: Volume, kind: Kind, number: int) -> tuple[Volume, Affine]:
    """Return a copy of ``volume`` of ``kind``, and the affine from the points of ``volume`` to those of the copy."""
    generator = np.random.default_rng([number, list(KINDS.values()).index(kind)])
    points = head_points(volume)
    truth = draw(kind, points.mean(0).numpy(), generator)
    reached = truth.map(points)
    low, high = reached.amin(0) - 10, reached.amax(0) + 10
    size = tuple(int(n) for n in ((high - low) / torch.tensor(volume.grid.spacing)).ceil())
    frame = replace(volume.grid, size=size).with_center(tuple(((low + high) / 2).tolist()))
    copy = resample(volume, frame, truth.inverse())
    return shown_in(cut(copy, generator) if kind.cut else copy, kind.contrast), truth


def register(pipeline: AffinePipeline, fixed: Volume, moving: Volume, truth: Affine) -> dict[str, float]:
    """Return the distances from ``truth`` in mm at the start, after the poses and in the end, and CPU seconds."""
    begun = time.process_time()
    steps = list(pipeline.steps(fixed, moving, generator=torch.Generator().manual_seed(0)))
    spent, points = time.process_time() - begun, head_points(fixed)
    last = {step.phase: step for step in steps}
    found = {"start": steps[0], "poses": last.get("pose", steps[0]), "end": steps[-1]}
    errors = {name: float(point_error(step.transform, truth, points).mean()) for name, step in found.items()}
    return {**errors, "seconds": spent}


def table(rows: list[dict], model: str) -> str:
    """Return what was found with ``model`` as a table of Markdown."""
    own = [row for row in rows if row["model"] == model]
    lines = ["| " + model + " | start | poses alone | whole registration | within 2 mm | worst |", "|---" * 6 + "|"]
    for name, of in {**{kind: [r for r in own if r["kind"] == kind] for kind in KINDS}, "all": own}.items():
        start, poses, end = (np.array([row[part] for row in of]) for part in ("start", "poses", "end"))
        medians = f"{np.median(start):.0f} | {np.median(poses):.2f} | {np.median(end):.2f}"
        lines.append(f"| {name} | {medians} | {(end < 2).sum()} of {len(end)} | {end.max():.2f} |")
    within, seconds = sum(row["poses"] < 10 for row in own), np.median([row["seconds"] for row in own])
    return "\n".join([*lines, f"\nPoses alone within 10 mm: {within} of {len(own)}; {seconds:.1f} CPU s each.\n"])


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--model", nargs="+", default=["pose"], help="names or paths of pose networks")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--spacing", type=float, default=1.5, help="of the images, mm")
    parser.add_argument("--output", type=Path, help="for all rows, JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    pipelines = {model: AffinePipeline(AffineSettings(model), device="cpu") for model in options.model}
    rows = []
    for path in options.images:
        whole = read_volume(path)
        fixed = resample(whole, whole.grid.with_spacing(options.spacing), Affine.identity())
        for name, kind in KINDS.items():
            for number in range(options.seeds):
                moving, truth = moved(fixed, kind, number)
                for model, pipeline in pipelines.items():
                    found = register(pipeline, fixed, moving, truth)
                    rows.append({"image": path.name, "kind": name, "seed": number, "model": model, **found})
            sys.stderr.write(f"{path}: {name}\n")
    for model in pipelines:
        sys.stdout.write(table(rows, model) + "\n")
    if options.output:
        options.output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
