"""From a pair of images and a time to the affine that remains between them, by comparison of the two as channels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from DiffusionCore.checks import check_shape
from DiffusionCore.networks.blocks import FilmDownBlock, MomentHead, ShiftDownBlock, TimeEmbedding

PUBLISHED_CHANNELS = (64, 128, 256, 256, 512, 1024)
NO_CLASS = 0  # the trained class of images whose modality is unknown or differs


@dataclass(frozen=True)
class AffineDenoiserConfig:
    """The widths of the network.

    Attributes:
        channels: channels at a half, a quarter, ... of the image; all multiples of ``groups``.
        groups: groups of the group norms.
        embedding: width of the embedding of time and class.
        classes: modality classes, beside the class 0 that stands for no class.
        reach: mm of translation that an output of 1 means.
        kernel: voxels (k, j, i) of the last features, which ties the published form to one size of image;
            None for our form, which takes any size.
    """

    channels: tuple[int, ...] = PUBLISHED_CHANNELS
    groups: int = 32
    embedding: int = 256
    classes: int = 0
    reach: float = 50.0
    kernel: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        if len(self.channels) < 2 or any(width % self.groups for width in self.channels):
            raise ValueError(f"'channels' must be two or more multiples of {self.groups}, got {self.channels}")
        if self.embedding % 2 or self.embedding < 2:
            raise ValueError(f"'embedding' must be even, got {self.embedding}")


class AffineDenoiser(nn.Module):
    """Estimate the whole affine between a fixed and a moved image, knowing how strong the noise was.

    ::

        fixed, moving -> conv 4 stride 2 -> halving blocks -> norm, SiLU -> means and moments -> I + 3x4
        time, class   -> embedding ----------^ scale and shift of every block

    The published form (``kernel`` is set) adds the condition instead of scaling by it and ends in a convolution as
    large as the last features. Ours starts at the identity. Source: published spatial diffusion system; scale and
    shift, moments, reach in mm and the start at the identity are our own.
    """

    def __init__(self, config: AffineDenoiserConfig) -> None:
        super().__init__()
        self.config = config
        width, groups, classes = config.embedding, config.groups, config.classes
        published = config.kernel is not None
        self.time = TimeEmbedding(width)
        self.classes = nn.Embedding(classes + 1, width) if classes and not published else None
        self.enter = nn.Conv3d(2, config.channels[0], 4, stride=2, padding=1)
        self.blocks = nn.ModuleList(
            ShiftDownBlock(inputs, outputs, embedding=width, groups=groups, classes=classes)
            if published
            else FilmDownBlock(inputs, outputs, embedding=width, groups=groups)
            for inputs, outputs in zip(config.channels[:-1], config.channels[1:], strict=True)
        )
        last = config.channels[-1]
        self.norm = nn.GroupNorm(groups, last)
        self.head = MomentHead(last, 12) if config.kernel is None else nn.Conv3d(last, 12, config.kernel)

    def forward(self, images: Tensor, times: Tensor, classes: Tensor | None = None) -> Tensor:
        """Return the estimates (B, 4, 4), float32, in mm about the middle of the images.

        Args:
            images: (B, 2, K, J, I), channels (fixed, moving), on one isotropic grid; at least 2 voxels a side.
            times: (B,), the diffusion time.
            classes: (B,) int64, 0 for no class, which is the default.

        Raises:
            ValueError: the shapes do not fit.
        """
        check_shape(images, "B 2 K J I", name="images")
        check_shape(times, f"{len(images)}", name="times")
        classes = torch.zeros_like(times, dtype=torch.int64) if classes is None else classes
        embedding = self.time(times)
        if self.classes is not None:
            embedding = embedding + self.classes(classes)
        hidden = self.enter(images)
        for block in self.blocks:
            hidden = block(hidden, embedding, classes)
        hidden = F.silu(self.norm(hidden))
        if self.config.kernel is not None and hidden.shape[2:] != self.config.kernel:
            raise ValueError(f"The head takes features of {self.config.kernel} voxels, got {tuple(hidden.shape[2:])}")
        return self._matrices(self.head(hidden).float().flatten(1))

    def _matrices(self, numbers: Tensor) -> Tensor:
        """Return I + the 3x4 matrices with the entries ``numbers`` (B, 12), row by row."""
        scale = torch.tensor([1.0, 1.0, 1.0, self.config.reach], device=numbers.device)
        return torch.eye(4, device=numbers.device) + F.pad(numbers.view(-1, 3, 4) * scale, (0, 0, 0, 1))
