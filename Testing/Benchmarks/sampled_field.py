"""What a model of the kind "diffusereg" brings where the truth is known: as a regression, and as a sampler.

    python Testing/Benchmarks/sampled_field.py MODEL [--control MODEL] [--pairs 12] [--output FILE.json] [--figure PNG]

The pairs are heads that no training draws, on images of 4 mm: in one contrast, in two, and in any with large
velocities. All numbers are mean distances, mm, of the velocities from the right ones, over the fixed object
(``table``), or they compare a stated spread with that distance (``spreads``): the rank correlation over the voxels of a
pair, over the pairs, and how many voxels lie within the stated 90 % once one factor is fitted on the other half of the
pairs. One thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from DiffusionCore.affine.steps import Step
from DiffusionCore.build import build_network
from DiffusionCore.config import from_dict
from DiffusionCore.deformable.learned import FIELD
from DiffusionCore.deformable.pair_images import pair_images
from DiffusionCore.deformable.pipeline import DeformablePipeline, DeformableSettings
from DiffusionCore.deformable.settings import RefinementSettings
from DiffusionCore.deformable.start import split
from DiffusionCore.deformable.velocity_diffusion import VelocityDiffusionConfig, sample_velocities
from DiffusionCore.diffusion.denoising import Sampler
from DiffusionCore.diffusion.gaussian import NoiseSource
from DiffusionCore.diffusion.reverse import spaced_times
from DiffusionCore.models import find_model
from DiffusionCore.networks.loop_denoiser import LoopDenoiser, LoopEstimate
from DiffusionCore.networks.precision import computing, fastest_precision
from DiffusionCore.space import Volume
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.training.field_pairs import FieldPairs, FieldPairsConfig, draw_field_pairs
from DiffusionCore.training.head_pool import draw_head_pool
from DiffusionCore.training.voxelmorph import warped
from DiffusionCore.transforms import Affine, Velocity, voxel_centers
from DiffusionCore.transforms.displacement import ras_vectors, sample_field, voxel_vectors

PASSES, STEPS, SAMPLES = 4, (1, 5, 10, 15, 30), 8
REFINEMENTS = {
    "20+20": RefinementSettings(spacing=4.0, iterations=(20, 20)),
    "5+5": RefinementSettings(spacing=4.0, iterations=(5, 5)),
}
SETS = {
    "one contrast": FieldPairsConfig(deviation=(2.3, 2.3), same_contrast=1.0, folded=0.5),
    "two contrasts": FieldPairsConfig(deviation=(2.3, 2.3), same_contrast=0.0, folded=0.5),
    "large": FieldPairsConfig(deviation=(5.0, 5.0), same_contrast=0.5, folded=0.5),
    "nothing to do": FieldPairsConfig(deviation=(0.0, 0.0), same_contrast=0.5, folded=0.5),
}
CURVE = ("one contrast", "two contrasts")  # where all numbers of steps are tried


@dataclass(frozen=True, eq=False)
class Model:
    """A network with what its training knew of the velocities."""

    network: LoopDenoiser
    diffusion: VelocityDiffusionConfig
    corrections: int

    @classmethod
    def load(cls, name: str) -> Model:
        """Return the model of this name or path."""
        stored = load_checkpoint(find_model(name), "diffusereg")
        network = cast(LoopDenoiser, build_network(stored))
        return cls(network, from_dict(VelocityDiffusionConfig, stored.config["diffusion"]), stored.config["passes"])

    @torch.inference_mode()
    def looks(self, pairs: FieldPairs, passes: int) -> list[LoopEstimate]:
        """Return what each of ``passes`` of the regression says, in voxels of the velocity."""
        found, deviation = torch.zeros_like(pairs.velocities), self.diffusion.measured
        times = torch.full((len(found),), self.diffusion.schedule.steps)
        made = []
        for _ in range(passes):
            moved = warped(pairs.moving, deviation * found)
            images = pair_images(pairs.fixed, moved, self.network.config.force_window)
            with computing(fastest_precision(found.device), found.device):
                estimate = self.network(images, torch.zeros_like(found), found, times)
            found = estimate.velocity
            made.append(LoopEstimate(deviation * found, estimate.log_variance + 2 * np.log(deviation)))
        return made

    @torch.inference_mode()
    def samples(self, pair: FieldPairs, steps: int, count: int) -> Tensor:
        """Return ``count`` velocities (count, 3, K, J, I) of one pair."""
        fixed, moving = (image.expand(count, -1, -1, -1, -1) for image in (pair.fixed, pair.moving))
        run = sample_velocities(
            self.network,
            self.diffusion,
            fixed,
            lambda velocities: warped(moving, velocities),
            spaced_times(self.diffusion.schedule.steps, steps),
            noise=NoiseSource(tuple(range(count))),
            sampler=Sampler(0.0),
            passes=self.corrections,
            dtype=fastest_precision(torch.device("cpu")),
        )
        return list(run)[-1].velocities


class Results:
    """Distances of every way to estimate a field, pair by pair, and how well spreads foretell them."""

    def __init__(self, config: FieldPairsConfig) -> None:
        self.spacing = 2 * config.spacing
        self.rows: dict[str, list[tuple[float, float]]] = {}
        self.spreads: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}

    def distance(self, velocity: Tensor, pair: FieldPairs) -> Tensor:
        """Return the distance of ``velocity`` (3, K, J, I) from the right one in every voxel of the object, mm."""
        return self.spacing * (velocity - pair.velocities[0]).norm(dim=0)[pair.mask[0, 0] > 0.5]

    def add(self, row: str, velocity: Tensor, pair: FieldPairs, seconds: float = 0.0) -> None:
        """Note how far ``velocity`` is from the right one."""
        self.rows.setdefault(row, []).append((float(self.distance(velocity, pair).mean()), seconds))

    def add_spread(self, row: str, spread: Tensor, velocity: Tensor, pair: FieldPairs) -> None:
        """Note what ``spread`` (K, J, I) says of the error of ``velocity``."""
        stated = self.spacing * spread[pair.mask[0, 0] > 0.5]
        self.spreads.setdefault(row, []).append((stated.numpy(), self.distance(velocity, pair).numpy()))

    def summary(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return the means, as they are printed and stored."""
        table = {
            row: {"mm": float(np.mean([v[0] for v in values])), "seconds": float(np.mean([v[1] for v in values]))}
            for row, values in self.rows.items()
        }
        return {"table": table, "spreads": {row: foretold(pairs) for row, pairs in self.spreads.items()}}


def foretold(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Return how well stated spreads foretell errors (see the module docstring)."""
    within = [float(spearmanr(stated, error).statistic) for stated, error in pairs]
    means = np.array([(stated.mean(), error.mean()) for stated, error in pairs])
    covered = []
    for half in (0, 1):
        factor = np.quantile(np.concatenate([e / np.maximum(s, 1e-6) for s, e in pairs[half::2]]), 0.9)
        covered += [float((e <= factor * s).mean()) for s, e in pairs[1 - half :: 2]]
    return {
        "within": float(np.nanmean(within)),
        "across": float(spearmanr(means[:, 0], means[:, 1]).statistic),
        "stated": float(means[:, 0].mean()),
        "error": float(means[:, 1].mean()),
        "covered": float(np.mean(covered)),
    }


def refined(pair: FieldPairs, config: FieldPairsConfig, start: Tensor | None, settings: RefinementSettings) -> Tensor:
    """Return the velocity after a refinement from ``start`` (3, K, J, I), on the grid of the known one."""
    fixed, moving = (Volume(image[0, 0].numpy(), config.grid) for image in (pair.fixed, pair.moving))
    i, j, k = (n // 2 for n in config.grid.size)
    coarse = config.grid.resized((i, j, k))
    begun = torch.zeros_like(pair.velocities[0]) if start is None else start
    step = Step(0, FIELD, 0.0, Affine.identity() @ Velocity(ras_vectors(begun, coarse), coarse))
    pipeline = DeformablePipeline(DeformableSettings(affine=None, refinement=settings), device="cpu")
    *_, last = pipeline.steps(fixed, moving, generator=torch.Generator().manual_seed(0), after=step)
    _, velocity = split(last.transform, config.grid)
    if velocity is None:
        return torch.zeros_like(begun)
    vectors = sample_field(velocity.vectors, velocity.grid, voxel_centers(coarse, dtype=torch.float32))
    return voxel_vectors(vectors.movedim(-1, 0), coarse)


def measure(model: Model, control: Model | None, name: str, count: int, seed: int) -> Results:
    """Return the results of ``count`` pairs of the set ``name``."""
    config = SETS[name]
    pool = draw_head_pool(8, generator=torch.Generator().manual_seed(seed))
    drawn = draw_field_pairs(pool, config, count, generator=torch.Generator().manual_seed(seed + 1))
    results = Results(config)
    say(f"{name}, {count} pairs")
    for number in range(count):
        pair = FieldPairs(*(part[number : number + 1] for part in drawn))
        results.add("nothing", torch.zeros_like(pair.velocities[0]), pair)
        classical = {}
        for label, settings in REFINEMENTS.items():
            begun = time.process_time()
            classical[label] = refined(pair, config, None, settings)
            results.add(f"refinement {label}", classical[label], pair, time.process_time() - begun)
        for prefix, one in (("control", control), ("model", model)):
            if one is None:
                continue
            begun = time.process_time()
            looks = one.looks(pair, PASSES)
            spent = (time.process_time() - begun) / PASSES
            for passes, look in enumerate(looks, start=1):
                results.add(f"{prefix}, regression x{passes}", look.velocity[0], pair, passes * spent)
                results.add_spread(f"{prefix}, stated x{passes}", look.spread()[0], look.velocity[0], pair)
            for label, settings in REFINEMENTS.items():
                found = refined(pair, config, looks[1].velocity[0], settings)
                results.add(f"{prefix}, regression x2 + {label}", found, pair)
            apart = (looks[1].velocity[0] - classical["5+5"]).norm(dim=0)
            results.add_spread(f"{prefix}, |x2 - refinement| of x2", apart, looks[1].velocity[0], pair)
            results.add_spread(f"{prefix}, |x2 - refinement| of the refinement", apart, classical["5+5"], pair)
            both = (apart.square() + looks[1].spread()[0].square()).sqrt()
            results.add_spread(f"{prefix}, stated and |x2 - refinement| of it", both, classical["5+5"], pair)
        if model.diffusion.form == "diffusion":
            sample(model, results, pair, config, STEPS if name in CURVE else (1, 15))
    return results


def sample(model: Model, results: Results, pair: FieldPairs, config: FieldPairsConfig, numbers: Sequence[int]) -> None:
    """Add what samples of ``pair`` bring, by numbers of steps."""
    for steps in numbers:
        begun = time.process_time()
        drawn = model.samples(pair, steps, SAMPLES)
        spent = (time.process_time() - begun) / SAMPLES
        for kept in (1, 4, SAMPLES):
            results.add(f"{steps} steps, mean of {kept}", drawn[:kept].mean(0), pair, kept * spent)
        if steps == 15:
            mean = drawn.mean(0)
            results.add_spread("samples, 15 steps", drawn.var(0).sum(0).sqrt(), mean, pair)
            results.add("15 steps, mean of 8 + 5+5", refined(pair, config, mean, REFINEMENTS["5+5"]), pair)


def draw(stored: dict[str, dict[str, dict[str, dict[str, float]]]], path: Path) -> None:
    """Write a figure of the distance against the number of steps, from what ``--output`` stores."""
    import matplotlib.pyplot as plt

    shown = [name for name in CURVE if name in stored]
    figure, axes = plt.subplots(1, len(shown), figsize=(8.8, 3.6), dpi=90, sharey=True, squeeze=False)
    for axis, name in zip(axes[0], shown, strict=True):
        table = {row: values["mm"] for row, values in stored[name]["table"].items()}
        for kept in (1, 4, SAMPLES):
            steps = [n for n in STEPS if f"{n} steps, mean of {kept}" in table]
            values = [table[f"{n} steps, mean of {kept}"] for n in steps]
            axis.plot(steps, values, "o-", ms=4, label=f"samples, mean of {kept}" if kept > 1 else "one sample")
        lines = {"nothing": "0.6", "refinement 5+5": "tab:brown", "model, regression x3": "k"}
        for row, color in lines.items():
            axis.axhline(table[row], color=color, lw=1, ls="--", label=row.removeprefix("model, "))
        axis.set(title=name, xlabel="steps of the sampling")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0, 0].set_ylabel("distance from the known velocity, mm")
    axes[0, 0].legend(frameon=False, fontsize=8, loc="upper right")
    figure.tight_layout()
    figure.savefig(path)


def say(line: str) -> None:
    """Print ``line``."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--control", help="another model, a regression")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--figure", type=Path, help="quality against steps")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = Model.load(options.model)
    control = None if options.control is None else Model.load(options.control)
    stored = {}
    for name in options.sets:
        summary = measure(model, control, name, options.pairs, options.seed).summary()
        stored[name] = summary
        say(f"{name}, {options.pairs} pairs: mm, CPU s")
        for row, values in summary["table"].items():
            say(f"  {row:<36}{values['mm']:7.2f}{values['seconds']:8.2f}")
        say("  spread: within a pair, across pairs, stated mm, error mm, covered")
        for row, values in summary["spreads"].items():
            say(f"  {row:<48}" + "".join(f"{value:7.2f}" for value in values.values()))
    if options.figure is not None:
        draw(stored, options.figure)
    if options.output is not None:
        options.output.write_text(json.dumps(stored, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
