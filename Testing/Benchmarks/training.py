"""How fast our recipes train, beside the published procedures and MONAI, for the same network and images.

    python Testing/Benchmarks/training.py [--rows NAME ...] [--rounds N] [--threads N] [--output TABLE.md]

Every contestant makes a batch and a step of it (forward, loss, backward, update) in each round, one after the other; a
ratio is the median over the rounds of its time to ours in the same round. With one thread times are CPU seconds, which
a busy machine changes least. "Published" is the procedure as it was described (``published_training.py``): single
precision, Adam, the operations of torch. Ours computes the network as the recipe says, in bfloat16 or not; "ours,
float32" never does. Where MONAI is installed, its losses, warps and diffusion U-Net take part. The images are synthetic
heads; reading files, and making the pool, does not count.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import published_training as published
import torch
from torch import Tensor, nn

from DiffusionCore.images.frame import ImageFrame, Intensities
from DiffusionCore.space import Grid
from DiffusionCore.training.batches import batch_generator
from DiffusionCore.training.field_pairs import FieldPairs
from DiffusionCore.training.head_pool import draw_head_pool
from DiffusionCore.training.image import ImageRecipe
from DiffusionCore.training.image_folder import ImageFolder
from DiffusionCore.training.published import PublishedRecipe
from DiffusionCore.training.published_recovery import PublishedRecoveryRecipe
from DiffusionCore.training.recipe import Recipe
from DiffusionCore.training.recipes import RECIPES, configure
from DiffusionCore.training.settings import LoopSettings
from DiffusionCore.training.single_volumes import StoredVolumes, SyntheticVolumes
from DiffusionCore.training.state import TrainingState
from DiffusionCore.training.update import compute_gradients, update
from DiffusionCore.training.voxelmorph import VoxelMorphRecipe, VoxelMorphRecipeConfig

MONAI = importlib.util.find_spec("monai") is not None
Batch = tuple[Tensor, ...]


@dataclass(frozen=True)
class Contestant:
    """Makes a batch, and a step of it."""

    batch: Callable[[], Batch]
    step: Callable[[Batch], object]


@dataclass(frozen=True)
class Contest:
    """The ``contestants`` of a recipe, ours first, the ``samples`` in each batch, and what they are, in ``words``."""

    samples: int
    contestants: dict[str, Contestant]
    words: str


def ours(recipe: Recipe, settings: LoopSettings) -> Contestant:
    """Return the loop of ``recipe``."""
    state, numbers = TrainingState.beginning(recipe, settings, torch.device("cpu")), itertools.count()

    def step(batch: Batch) -> None:
        update(state, compute_gradients(recipe, state, [batch], settings)["loss"], settings)

    return Contestant(lambda: tuple(recipe.draw(batch_generator(0, next(numbers)))), step)


def other(
    network: nn.Module, loss: published.Loss, batch: Callable[[], Batch], *, half: bool = False, average: bool = False
) -> Contestant:
    """Return a plain training by Adam, in bfloat16 if ``half``, with a running mean of the weights if ``average``."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-4)
    means = [weight.detach().clone() for weight in network.parameters()] if average else []

    def step(made: Batch) -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            value = loss(network, *made)
        value.backward()
        optimizer.step()
        for mean, weight in zip(means, network.parameters(), strict=bool(means)):
            mean.lerp_(weight.detach(), 0.005)

    return Contestant(batch, step)


def both(recipe: Recipe, settings: LoopSettings) -> dict[str, Contestant]:
    """Return ours as the recipe says and, if that is not so already, in single precision."""
    found = {"ours": ours(recipe, settings)}
    if settings.precision != "float32":
        found["ours, float32"] = ours(recipe, replace(settings, precision="float32"))
    return found


def heads(shape: tuple[int, int, int]) -> Tensor:
    """Return synthetic heads (8, 1, K, J, I) in [0, 1] of ``shape`` (K, J, I)."""
    generator = torch.Generator().manual_seed(0)
    pool = SyntheticVolumes(draw_head_pool(4, generator=generator))
    return torch.nn.functional.interpolate(pool.draw(8, generator=generator).images, shape, mode="trilinear")


def folder(size: tuple[int, int, int], spacing: float) -> ImageFolder:
    """Return ``heads`` of ``size`` (i, j, k) as a folder of images without labels."""
    images, frame = heads(size[::-1]), ImageFrame(size, spacing, Intensities(0.3, 0.5, 1.0))
    labels, classes = torch.zeros(len(images), *images.shape[2:]), torch.zeros(len(images), dtype=torch.int64)
    return ImageFolder(frame, tuple("abcdefgh"), images.half(), labels.short(), classes)


def affine() -> Contest:
    """The affine diffusion: the network of the recipe, windows of 64 voxels."""
    recipe, settings, _ = configure("published-affine", ["batch=4"])
    grid = Grid((64, 64, 64), (4.0, 4.0, 4.0)).with_center((0.0, 0.0, 0.0))
    source = StoredVolumes(heads(grid.shape).half(), torch.zeros(8, dtype=torch.int64), grid)
    recipe = PublishedRecipe(recipe.config, source=source)
    generator = torch.Generator().manual_seed(1)

    def batch() -> Batch:
        return published.affine_batch(source.draw(recipe.batch, generator=generator).images, generator)

    found = both(recipe, settings)
    found["published"] = other(recipe.network(), published.affine_loss, batch, average=True)
    return Contest(recipe.batch, found, "windows of 64 voxels")


class StoredPairs(VoxelMorphRecipe):
    """The recipe on pairs of ``images`` that are there, whose fields nobody knows."""

    def __init__(self, config: VoxelMorphRecipeConfig, images: Tensor) -> None:
        super().__init__(config)
        self._images = images

    def draw(self, generator: torch.Generator) -> FieldPairs:
        """Return two images; a velocity of zero stands for the one that is not known."""
        chosen = torch.randperm(len(self._images), generator=generator)[:2]
        fixed, moving = self._images[chosen].split(1)
        half = torch.nn.functional.avg_pool3d(fixed, 2)
        return FieldPairs(fixed, moving, half.expand(-1, 3, -1, -1, -1) * 0, (half > 0).float())


def voxelmorph() -> Contest:
    """The network of the reference program, which learns to make pairs of images alike; nobody makes images."""
    recipe, settings, _ = configure("published-voxelmorph", [])
    images = heads((48, 64, 48))
    recipe = StoredPairs(recipe.config, images)
    generator = torch.Generator().manual_seed(1)

    def batch() -> Batch:
        return recipe.draw(generator)[:2]

    found = {"ours": ours(recipe, settings)}
    found["published"] = other(recipe.network(), published.voxelmorph_loss, batch)
    if MONAI:
        from monai.losses import DiffusionLoss, LocalNormalizedCrossCorrelationLoss
        from monai.networks.blocks import DVF2DDF, Warp

        squared, warp, alike, smooth = (
            DVF2DDF(7),
            Warp(padding_mode="zeros"),
            LocalNormalizedCrossCorrelationLoss(kernel_size=9),
            DiffusionLoss(),
        )

        def loss(network: nn.Module, fixed: Tensor, moving: Tensor) -> Tensor:
            velocity = network(torch.cat([fixed, moving], 1))
            field = squared(velocity.flip(1))  # MONAI has the components of k first
            field = 2 * torch.nn.functional.interpolate(field, fixed.shape[2:], mode="trilinear")
            return alike(warp(moving, field), fixed) + smooth(velocity)

        found["MONAI"] = other(recipe.network(), loss, batch)
    return Contest(1, found, "48 x 64 x 48 voxels, correlation of 9")


def diffusereg() -> Contest:
    """The small form of the published network; the fields are known, without a network that estimates them."""
    recipe, settings, _ = configure("small-published-diffusereg", ["batch=1", "heads=2", "shapes=2"])
    network, numbers = recipe.network(), itertools.count()

    def batch() -> Batch:
        return tuple(recipe.draw(batch_generator(1, next(numbers))))

    found = both(recipe, settings)
    found["published"] = other(network, published.diffusereg_loss, batch)
    return Contest(1, found, "40 x 48 x 40 voxels")


def drdm() -> Contest:
    """The published recovery network."""
    recipe, settings, _ = configure("published-drdm", ["batch=2", "size=64"])
    images = heads((64, 64, 64))
    recipe = PublishedRecoveryRecipe(recipe.config, images=images)
    generator = torch.Generator().manual_seed(1)

    def batch() -> Batch:
        chosen = torch.randint(len(images), (recipe.batch,), generator=generator)
        return published.drdm_batch(images[chosen], generator)

    found = {"ours": ours(recipe, settings), "published": other(recipe.network(), published.drdm_loss, batch)}
    return Contest(recipe.batch, found, "cubes of 64 voxels")


def image() -> Contest:
    """The image diffusion of the recipe for a CPU; MONAI's network has the same widths, blocks and voxels."""
    config = replace(RECIPES["small-image"].config, deformation=0.0)
    recipe, settings = ImageRecipe(config, images=folder((32, 32, 32), 6.0)), RECIPES["small-image"].settings
    generator = torch.Generator().manual_seed(1)

    def batch() -> Batch:
        images, *conditions, times, noise = recipe.draw(generator)
        return images, tuple(conditions), times, noise

    found = both(recipe, settings)
    alone = replace(config, network=replace(config.network, joined=1))
    found["ours, no voxels joined"] = ours(ImageRecipe(alone, images=recipe.images), settings)
    found["published"] = other(recipe.network(), published.image_loss, batch)
    if MONAI:
        from monai.networks.nets import DiffusionModelUNet
        from monai.networks.schedulers import DDPMScheduler

        scheduler, widths = DDPMScheduler(1000), recipe.config.network.widths

        def loss(network: nn.Module, images: Tensor, _: object, times: Tensor, noise: Tensor) -> Tensor:
            return (network(scheduler.add_noise(images, noise, times - 1), times) - noise).square().mean()

        for name, half in (("MONAI", False), ("MONAI, bfloat16", True)):
            network = DiffusionModelUNet(3, 1, 1, 1, widths, (False,) * len(widths), norm_num_groups=16)
            found[name] = other(network, loss, batch, half=half)
    return Contest(recipe.batch, found, "32 x 32 x 32 voxels")


ROWS = {"affine": affine, "voxelmorph": voxelmorph, "diffusereg": diffusereg, "drdm": drdm, "image": image}


def measure(contest: Contest, rounds: int, clock: Callable[[], float]) -> Iterator[tuple[str, list[float]]]:
    """Yield (contestant, [batch s, step s, samples per s, median ratio to ours, spread of that]) of a contest."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contest.contestants}
    for number in range(rounds + 1):
        for name, contestant in contest.contestants.items():
            begun = clock()
            batch = contestant.batch()
            drawn = clock()
            contestant.step(batch)
            if number:  # the first round compiles
                times[name].append((drawn - begun, clock() - drawn))
    own = [sum(each) for each in next(iter(times.values()))]
    for name, taken in times.items():
        ratios = [sum(each) / mine for each, mine in zip(taken, own, strict=True)]
        low, *_, high = statistics.quantiles(ratios, n=4)
        batch, step, whole = (statistics.median(each) for each in (*zip(*taken, strict=True), map(sum, taken)))
        yield name, [batch, step, contest.samples / whole, statistics.median(ratios), high - low]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    lines = ["| | contestant | batch, s | step, s | samples per s | times ours | spread |", "|" + " --- |" * 7]
    for row in options.rows:
        contest = ROWS[row]()
        for name, (batch, step, speed, ratio, spread) in measure(contest, options.rounds, clock):
            about = f"{row}: {contest.samples} of {contest.words}" if name == "ours" else ""
            lines.append(f"| {about} | {name} | {batch:.3f} | {step:.3f} | {speed:.3f} | {ratio:.2f} | {spread:.2f} |")
            sys.stdout.write(lines[-1] + "\n")
            sys.stdout.flush()
    if options.output:
        facts = f"{options.threads} thread(s), {options.rounds} rounds, torch {torch.__version__}"
        options.output.write_text(facts + "\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
