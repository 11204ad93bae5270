"""Generation: new images by a trained diffusion, as an iterator of steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from DiffusionCore.build import build_network, choose_device
from DiffusionCore.checks import CheckpointError, ConfigError, VolumeError, check_range
from DiffusionCore.config import from_dict
from DiffusionCore.diffusion.denoising import Sampler
from DiffusionCore.diffusion.reverse import spaced_times
from DiffusionCore.images.diffusion import KIND, Conditions, Guidance, ImageDiffusion, sample_images, sample_source
from DiffusionCore.images.frame import ImageFrame, middle, placed_labels
from DiffusionCore.models import load_model
from DiffusionCore.networks.image_denoiser import ImageDenoiser
from DiffusionCore.networks.precision import Precision, choose_precision
from DiffusionCore.space import Grid, Volume


@dataclass(frozen=True)
class GenerationSettings:
    """How images are made.

    Attributes:
        steps: of the network, per image; None for all times of the diffusion.
        sampler: "ddim", without chance but in the first noise; "ddpm", with fresh noise at every step.
        guidance_scale: how much an image follows its conditions (``Guidance``).
        kind: the class of the images; None for any.
        precision: in which the network computes. It changes an image a little: for an image to come out again, keep
            the ``settled_precision`` of ``FASTEST`` with it.

    Raises:
        ValueError: a number is out of its range.
    """

    steps: int | None = 50
    sampler: Literal["ddim", "ddpm"] = "ddim"
    guidance_scale: float = 1.5
    kind: str | None = None
    precision: Precision = Precision.FLOAT32

    def __post_init__(self) -> None:
        if self.steps is not None:
            check_range(self, 1, math.inf, "steps")
        check_range(self, 0, math.inf, "guidance_scale")


class GenerationStep(NamedTuple):
    """After step ``index`` of ``of``: the diffusion ``time`` reached, and the ``image`` as it is estimated.

    Intensities are relative to the mean of the foreground, background 0, float32.
    """

    index: int
    of: int
    time: int
    image: Volume


@dataclass(frozen=True, eq=False)
class ImageModel:
    """A trained diffusion of images: its network on a device, what its images share, and its noise."""

    network: ImageDenoiser
    frame: ImageFrame
    diffusion: ImageDiffusion

    @classmethod
    def load(cls, name_or_path: str, device: str = "auto") -> ImageModel:
        """Return the model of this name or path.

        Raises:
            CheckpointError: there is none, or it cannot be used.
            DeviceError: the device is not there.
        """
        place = choose_device(device)
        checkpoint = load_model(name_or_path, KIND)
        network = build_network(checkpoint)
        try:
            frame = from_dict(ImageFrame, checkpoint.config["frame"])
            diffusion = from_dict(ImageDiffusion, checkpoint.config["diffusion"])
        except (KeyError, ConfigError) as error:
            raise CheckpointError(f"'{name_or_path}' does not say what its images share: {error}") from error
        return cls(cast(ImageDenoiser, network.to(place)), frame, diffusion)

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        return next(self.network.parameters()).device

    def times(self, steps: int | None) -> tuple[int, ...]:
        """Return the times of ``steps`` steps, or of all.

        Raises:
            ConfigError: the diffusion has fewer.
        """
        most = self.diffusion.schedule.steps
        if steps is not None and steps > most:
            raise ConfigError(f"The model was trained with {most} times, so 'steps' must be in 1..{most}, got {steps}.")
        return spaced_times(most, most if steps is None else steps)

    def conditions(self, kind: str | None = None, labels: Volume | None = None) -> Conditions:
        """Return what is told of one image: its class, and ``labels`` of any geometry that guide where tissue goes.

        Raises:
            ConfigError: the model does not know the class.
            VolumeError: the model does not know a label, or the map is empty.
        """
        conditions = Conditions.none(self.frame)
        if kind is not None:
            if kind not in self.frame.classes:
                known = ", ".join(self.frame.classes) or "none"
                raise ConfigError(f"The model knows no class '{kind}'. Its classes: {known}.")
            conditions = conditions._replace(classes=torch.tensor([1 + self.frame.classes.index(kind)]))
        if labels is not None:
            if not labels.values.any():
                raise VolumeError("The label map is all 0: there is nothing to guide the image.")
            placed = placed_labels(labels, self.frame.grid, middle(labels, labels))
            conditions = conditions._replace(labels=self.frame.label_numbers(placed)[None])
        return conditions.to(self.device)


def generate(
    model: ImageModel,
    number: int,
    *,
    seed: int = 0,
    settings: GenerationSettings | None = None,
    labels: Volume | None = None,
) -> Iterator[GenerationStep]:
    """Yield the steps of image ``number``, 0.., of ``seed``; it is for ever the same, however many are made.

    The image lies on the grid of the model, whose middle is that of the ``labels`` if they are given.

    Raises:
        ConfigError, VolumeError: the model does not know a class or a label, or has fewer steps.
    """
    settings = settings or GenerationSettings()
    times = model.times(settings.steps)
    conditions = model.conditions(settings.kind, labels)
    grid = model.frame.grid if labels is None else _moved(model.frame.grid, middle(labels, labels))
    nothing = labels is None and settings.kind is None
    run = sample_images(
        model.network,
        model.diffusion,
        model.frame,
        conditions,
        times,
        noise=sample_source(seed, number),
        guidance=Guidance(1.0 if nothing else settings.guidance_scale),
        sampler=Sampler(1.0 if settings.sampler == "ddpm" else 0.0),
        dtype=choose_precision(settings.precision, model.device),
    )
    for step in run:
        yield GenerationStep(step.index, len(times), step.time, Volume(_values(model, step.clean), grid))


def _values(model: ImageModel, standardized: Tensor) -> NDArray[np.float32]:
    """Return the intensities (K, J, I) of one standardized image."""
    return model.frame.intensities.restored(standardized)[0, 0].clamp(min=0).cpu().numpy()


def _moved(grid: Grid, center: NDArray[np.float64]) -> Grid:
    x, y, z = map(float, center)
    return grid.with_center((x, y, z))
