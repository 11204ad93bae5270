"""The suite of trainings: our recipes beside the published procedures and MONAI, for the same network and images.

A call makes a batch and a step of it: forward, loss, backward, update. "Published" is the procedure as it was described
(``published_training.py``): single precision, Adam, the operations of torch. Ours computes the network as the recipe
says, in bfloat16 or not; "ours, float32" never does. The images are synthetic heads; reading files, and making the
pool, does not count. All of it runs on the processor.
"""

from __future__ import annotations

import importlib.util
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from DiffusionCore.space import Grid
from DiffusionCore.training.batches import batch_generator
from DiffusionCore.training.field_pairs import FieldPairs
from DiffusionCore.training.image import ImageRecipe
from DiffusionCore.training.published import PublishedRecipe
from DiffusionCore.training.published_recovery import PublishedRecoveryRecipe
from DiffusionCore.training.recipe import Recipe
from DiffusionCore.training.recipes import RECIPES, configure
from DiffusionCore.training.settings import LoopSettings
from DiffusionCore.training.single_volumes import StoredVolumes
from DiffusionCore.training.state import TrainingState
from DiffusionCore.training.update import compute_gradients, update
from DiffusionCore.training.voxelmorph import VoxelMorphRecipe, VoxelMorphRecipeConfig
from Testing.Benchmarks.options import Options
from Testing.Benchmarks.race import Contest
from Testing.Benchmarks.suites import published_training as published
from Testing.Benchmarks.suites.monai_peers import MISSING, MONAI
from Testing.Benchmarks.suites.synthetic_heads import folder, heads

Batch = tuple[Tensor, ...]


def contests(options: Options) -> Iterator[Contest]:
    """Yield a contest for each of the five systems."""
    if options.device != "cpu":
        return
    for name, make in TRAININGS.items():
        if options.wants(name):
            yield make()


class Contestant:
    """Makes a batch, and a step of it, and remembers the CPU seconds of both."""

    def __init__(self, batch: Callable[[], Batch], step: Callable[[Batch], object]) -> None:
        self._batch, self._step = batch, step
        self._seconds: list[tuple[float, float]] = []

    def __call__(self) -> None:
        begun = time.process_time()
        batch = self._batch()
        drawn = time.process_time()
        self._step(batch)
        self._seconds.append((drawn - begun, time.process_time() - drawn))

    def parts(self) -> str:
        """Return what a batch and a step took, without the first call, which compiles."""
        batch, step = (statistics.median(times) for times in zip(*self._seconds[1:], strict=True))
        return f"batch {batch:.3f} and step {step:.3f} CPU s"


def contest(
    name: str,
    size: str,
    contestants: Mapping[str, Contestant],
    *,
    rounds: int | None = None,
    missing: Mapping[str, str] = MISSING,
) -> Contest:
    """Return the contest of ``contestants`` at batches of ``size``."""
    notes = {peer: contestant.parts for peer, contestant in contestants.items()}
    return Contest(name, size, contestants, rounds=rounds, notes=notes, missing=missing)


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
    return contest("affine", f"{recipe.batch} windows of 64 voxels", found)


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
    return contest("voxelmorph", "48x64x48, correlation of 9", found)


def diffusereg() -> Contest:
    """The small form of the published network; the fields are known, without a network that estimates them."""
    recipe, settings, _ = configure("small-published-diffusereg", ["batch=1", "heads=2", "shapes=2"])
    network, numbers = recipe.network(), itertools.count()

    def batch() -> Batch:
        return tuple(recipe.draw(batch_generator(1, next(numbers))))

    found = both(recipe, settings)
    found["published"] = other(network, published.diffusereg_loss, batch)
    return contest("diffusereg", "40x48x40", found)


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
    return contest("drdm", f"{recipe.batch} of 64x64x64", found, rounds=3)


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
    missing = {"MONAI": "pip install monai einops"}
    if MONAI and importlib.util.find_spec("einops") is not None:
        missing = {}
        from monai.networks.nets import DiffusionModelUNet
        from monai.networks.schedulers import DDPMScheduler

        scheduler, widths = DDPMScheduler(1000), recipe.config.network.widths

        def loss(network: nn.Module, images: Tensor, _: object, times: Tensor, noise: Tensor) -> Tensor:
            return (network(scheduler.add_noise(images, noise, times - 1), times) - noise).square().mean()

        for name, half in (("MONAI", False), ("MONAI, bfloat16", True)):
            network = DiffusionModelUNet(3, 1, 1, 1, widths, (False,) * len(widths), norm_num_groups=16)
            found[name] = other(network, loss, batch, half=half)
    return contest("image", f"{recipe.batch} of 32x32x32", found, missing=missing)


TRAININGS = {"diffusereg": diffusereg, "affine": affine, "voxelmorph": voxelmorph, "drdm": drdm, "image": image}
