"""Registration by the published affine diffusion: a network compares the two images, step by step.

Both images are seen in one cubic window of isotropic mm around the center of the fixed foreground, so neither the
spacing nor the size nor the direction of their grids matters; at every step the *original* moving image is sampled
through the composed transform.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from DiffusionCore.affine.foreground import extent, working_volume
from DiffusionCore.affine.pose import PoseFrame, nearest_pose, render
from DiffusionCore.affine.steps import Step
from DiffusionCore.build import build_network, choose_device
from DiffusionCore.checks import GeometryError, check_range
from DiffusionCore.config import from_dict
from DiffusionCore.diffusion.forward import AffineLaw, LieAffineLaw, PublishedAffineLaw
from DiffusionCore.diffusion.reverse import (
    GroupUpdate,
    ReverseStep,
    StdRatio,
    StraightUpdate,
    Weights,
    corrected,
    mean,
    reverse,
    spaced_times,
)
from DiffusionCore.diffusion.schedules import CosineSchedule
from DiffusionCore.models import find_model
from DiffusionCore.networks.precision import computing
from DiffusionCore.space import Grid, Volume
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.transforms.affine import Affine, Group

KIND = "published-affine"


@dataclass(frozen=True)
class AffineDiffusionConfig:
    """The window of a network, and the noise that it learned to undo.

    Attributes:
        size: voxels along each side of the window.
        spacing: mm between them.
        steps: times of the diffusion.
        law: the published law, or that of a group in its Lie algebra.
        rotation: rad, for the groups: deviation of each entry of the rotation vector at the last time.
        translation: mm, deviation along each axis at the last time; the published 20.74 voxels, in mm.
        scale: for the groups: deviation of the log-scales at the last time.
        shear: for the affine group: deviation of the shears at the last time.

    Raises:
        ValueError: a number is out of its range.
    """

    size: int = 32
    spacing: float = 6.0
    steps: int = 65
    law: Literal["published", "rigid", "similarity", "affine"] = "published"
    rotation: float = 0.6
    translation: float = 20.74
    scale: float = 0.12
    shear: float = 0.04

    def __post_init__(self) -> None:
        check_range(self, 4, math.inf, "size")
        check_range(self, 1, math.inf, "steps")
        check_range(self, 1e-3, math.inf, "spacing", "rotation", "translation", "scale", "shear")

    @property
    def window(self) -> PoseFrame:
        """The window."""
        return PoseFrame(self.size, self.spacing)

    def build_law(self) -> AffineLaw:
        """Return the law of the noise."""
        if self.law == "published":
            unit = CosineSchedule(self.steps, 0.5, 4.0).total_std()[-1].item()
            translation = CosineSchedule(self.steps, 0.5 * self.translation / unit, 4.0 * self.translation / unit)
            return PublishedAffineLaw(CosineSchedule(self.steps, 0.01, 0.07), translation)
        return LieAffineLaw.reaching(
            self.steps,
            rotation=self.rotation,
            translation=self.translation,
            scale=self.scale,
            shear=self.shear,
            group=Group[self.law.upper()],
        )


class _View(NamedTuple):
    """An image as the network is shown it: ``image`` (1, 1, K, J, I) on ``grid``, its points reached ``through`` a map.

    ``center``: RAS mm of the middle of the window when this is the fixed image.
    """

    image: Tensor
    grid: Grid
    center: tuple[float, float, float]
    through: Affine


class PublishedSampler:
    """The reverse process of affine transforms with a network that compares two images.

    Args:
        network: from (B, 2, n, n, n), times (B,) and classes (B,) to (B, 4, 4), mm about the middle of the window.
        config: the window and the noise that it was trained with.
        count: how many of the times are visited, evenly spaced; None for all.
        weights: how much of an estimate a step takes; None for the published ratio of deviations.
        update: what a fraction of a transform is.
        modality: the class of the images; 0 for no class (images of two modalities).

    All runs start at ``initial``, by default the translation between the centers of the foregrounds.

    Source: published spatial diffusion system; the window in mm, the Lie group and the mean of both ways are our own.
    """

    def __init__(
        self,
        network: nn.Module,
        config: AffineDiffusionConfig,
        *,
        count: int | None = None,
        weights: Weights | None = None,
        update: type[StraightUpdate] | type[GroupUpdate] = GroupUpdate,
        modality: int = 0,
    ) -> None:
        law = config.build_law()
        self.network, self.config, self.modality = network.eval(), config, modality
        self.times = spaced_times(config.steps, count or config.steps)
        self.weights = weights or StdRatio(law.linear, law.shift)
        self.update = update

    def steps(self, fixed: Volume, moving: Volume, *, initial: Affine | None = None, first: int = 0) -> Iterator[Step]:
        """Yield one Step per time; to resume after step k give its transform as ``initial``, and ``first`` = k + 1."""
        views = self._view(fixed), self._view(moving)
        for state in self._states(*views, initial or _centered(*views), first):
            yield self._step(state, state.transform)

    def corrected_steps(
        self, fixed: Volume, moving: Volume, *, initial: Affine | None = None, first: int = 0
    ) -> Iterator[Step]:
        """Yield the steps of one pass, then those of the published correction: a second pass with swapped images.

        To resume, as for ``steps``. Within the second pass what the first one found is not known any more: the given
        transform takes its place, and what is left of it is corrected in the steps that are left.
        """
        fixed_view, moving_view = self._view(fixed), self._view(moving)
        found = initial or _centered(fixed_view, moving_view)
        for state in self._states(fixed_view, moving_view, found, first):
            found = state.transform
            yield self._step(state, found)
        count = len(self.times)
        warped_view = moving_view._replace(center=fixed_view.center, through=found)
        for state in self._states(warped_view, fixed_view, Affine.identity(), max(0, first - count)):
            yield self._step(state, corrected(found, state.transform), after=count)

    def averaged_steps(
        self, fixed: Volume, moving: Volume, *, initial: Affine | None = None, first: int = 0
    ) -> Iterator[Step]:
        """Yield the means, in the group, of both ways: from fixed to moving, and the inverse of the other way.

        To resume, as for ``steps``; both ways go on from the mean.
        """
        fixed_view, moving_view = self._view(fixed), self._view(moving)
        start = initial or _centered(fixed_view, moving_view)
        ways = (
            self._states(fixed_view, moving_view, start, first),
            self._states(moving_view, fixed_view, start.inverse(), first),
        )
        for there, back in zip(*ways, strict=True):
            try:
                yield self._step(there, mean([there.transform, back.transform.inverse()]))
            except GeometryError:  # half a turn apart: they have no mean, and one of them is lost
                yield self._step(there, there.transform)

    def _states(self, fixed: _View, moving: _View, initial: Affine, first: int = 0) -> Iterator[ReverseStep]:
        reference = self._window(fixed, Affine.identity(), fixed.center)

        def predict(current: Affine, time: int) -> Affine:
            images = torch.cat([reference, self._window(moving, current, fixed.center)], 1)
            estimate = self._estimate(images, time)
            # a bad estimate may mirror or flatten; the nearest transform that does not is followed
            return Affine(nearest_pose(estimate)[0]).about(fixed.center)

        update = self.update(fixed.center)
        return reverse(predict, self.times, self.weights, update, initial=initial, first=first)

    @torch.inference_mode()
    def _estimate(self, images: Tensor, time: int) -> Tensor:
        device = next(self.network.parameters(), images).device
        numbers = torch.tensor([[time], [self.modality]], device=device)
        with computing(torch.float32, device):
            return self.network(images.to(device), *numbers).double().cpu()

    def _view(self, volume: Volume) -> _View:
        working = working_volume(volume, self.config.spacing)
        x, y, z = extent(volume).center.tolist()
        return _View(torch.from_numpy(working.values)[None, None], working.grid, (x, y, z), Affine.identity())

    def _window(self, view: _View, transform: Affine, center: tuple[float, float, float]) -> Tensor:
        """Return what the window about ``center`` shows of ``view`` behind ``transform``: (1, 1, n, n, n)."""
        matrix = view.through.matrix @ transform.matrix @ Affine.translation(center).matrix
        return render(view.image, view.grid, matrix[None], self.config.window)

    def _step(self, state: ReverseStep, transform: Affine, *, after: int = 0) -> Step:
        return Step(after + state.index, "diffusion", state.time / self.config.steps, transform)


def load_published(name: str, device: str = "cpu") -> tuple[nn.Module, AffineDiffusionConfig]:
    """Return the network of the model ``name`` (a shipped or installed name, or a path) on ``device``, and its noise.

    Raises:
        CheckpointError: no such model, or one of another kind; its weights and configuration do not fit.
        ConfigError: its configuration is not that of an affine diffusion.
    """
    checkpoint = load_checkpoint(find_model(name), KIND)
    config = from_dict(AffineDiffusionConfig, checkpoint.config.get("diffusion"))
    return build_network(checkpoint).to(choose_device(device)), config


def _centered(fixed: _View, moving: _View) -> Affine:
    return Affine.translation([m - f for f, m in zip(fixed.center, moving.center, strict=True)])
