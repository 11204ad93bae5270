"""From a noised image, where it lies, what is to be seen in it, and its time to what a diffusion learns of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from DiffusionCore.checks import check_range, check_shape
from DiffusionCore.networks.blocks import TimeEmbedding
from DiffusionCore.networks.voxelmorph import padded

_FLOOR = 1e-4  # of a mean square


@dataclass(frozen=True)
class ImageDenoiserConfig:
    """The size of the network, and the conditions that it knows.

    Attributes:
        joined: image voxels a side that become one voxel of the network.
        widths: channels at the resolution of the network, at a half of it, a quarter, ...
        blocks: residual blocks at each of them, going down and going up.
        heads: of the attention among all voxels at the coarsest resolution; 0 for no attention.
        embedding: width of the embedding of time and class, even.
        labels: labels of a label map, background included; 0 for a network that sees none.
        label_channels: numbers that stand for a label in each voxel.
        classes: kinds of images; 0 for a network that knows no kinds.

    Raises:
        ValueError: the numbers do not fit together.
    """

    joined: int = 2
    widths: tuple[int, ...] = (64, 128, 192)
    blocks: int = 1
    heads: int = 0
    embedding: int = 128
    labels: int = 0
    label_channels: int = 4
    classes: int = 0
    retired: ClassVar[frozenset[str]] = frozenset({"recompute"})  # a setting of the loop now

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"'widths' must be positive numbers, got {self.widths}")
        check_range(self, 1, math.inf, "joined", "blocks", "label_channels")
        check_range(self, 0, math.inf, "heads", "labels", "classes")
        check_range(self, 2, math.inf, "embedding")
        if self.embedding % 2:
            raise ValueError(f"'embedding' must be even, got {self.embedding}")
        if self.heads and self.widths[-1] % self.heads:
            raise ValueError(f"'heads' must divide the last of 'widths', got {self.heads} and {self.widths[-1]}")

    @property
    def stride(self) -> int:
        """Image voxels a side of one voxel at the coarsest resolution."""
        return self.joined * 2 ** (len(self.widths) - 1)


class ImageDenoiser(nn.Module):
    """Estimate what a diffusion learns of an image (noise, image, or v), of any size.

    ::

        image, position, vectors of the labels -> cubes of voxels joined to channels -> conv 3
          -> blocks ----------------------------------------------------------- + -> blocks -> conv 3 -> voxels apart
               conv 4, stride 2 -> blocks ---------------------- + -> blocks --^
                 conv 4, stride 2 -> blocks, attention, blocks --^  conv 1, twice as large
        time + class -> embedding: scale and shift within every block

    Each label has a vector of its own that is learned, which is a one-hot map times a matrix; label ``labels`` stands
    for a map that is not known, class 0 for one that is not. The first estimate is zero.

    Source: the U-Net of Ho et al. (NeurIPS 2020) with FiLM; joined voxels as in Hoogeboom et al., Simple diffusion
    (ICML 2023), sums in the place of joined features, norms within each voxel, position and labels as channels are our
    own choice.
    """

    def __init__(self, config: ImageDenoiserConfig) -> None:
        super().__init__()
        self.config = config
        widths, cube = config.widths, config.joined**3
        self.time = TimeEmbedding(config.embedding)
        self.classes = nn.Embedding(config.classes + 1, config.embedding) if config.classes else None
        self.labels = nn.Embedding(config.labels + 1, config.label_channels) if config.labels else None
        channels = 4 + (config.label_channels if config.labels else 0)
        self.enter = nn.Conv3d(channels * cube, widths[0], 3, padding=1)
        self.before = nn.ModuleList(self._blocks(width) for width in widths)
        self.down = nn.ModuleList(nn.Conv3d(fine, coarse, 4, 2, 1) for fine, coarse in pairwise(widths))
        self.attention = Attention(widths[-1], config.heads) if config.heads else None
        self.up = nn.ModuleList(nn.Conv3d(coarse, fine, 1) for fine, coarse in pairwise(widths))
        self.after = nn.ModuleList(self._blocks(width) for width in widths)
        self.leave = nn.Conv3d(widths[0], cube, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(torch.as_tensor(self.leave.bias))
        # faster on the CPU
        self.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]

    def forward(self, state: Tensor, position: Tensor, labels: Tensor, classes: Tensor, times: Tensor) -> Tensor:
        """Return the estimate (B, 1, K, J, I), float32, of the target of the noised ``state`` (B, 1, K, J, I).

        Args:
            state: the noised image, in deviations from its mean.
            position: (B, 3, K, J, I), where each voxel lies in the whole image, UNIT.
            labels: (B, K, J, I), whole numbers of 0..labels; ignored where the network sees none.
            classes: (B,), whole numbers of 0..classes; ignored where the network knows none.
            times: (B,), of the diffusion.

        Raises:
            ValueError: the shapes do not fit.
        """
        check_shape(state, "B 1 K J I", name="state")
        batch, _, k, j, i = state.shape
        check_shape(position, f"{batch} 3 {k} {j} {i}", name="position")
        check_shape(labels, f"{batch} {k} {j} {i}", name="labels")
        embedding = self.time(times)
        if self.classes is not None:
            embedding = embedding + self.classes(classes)
        seen = [state, position]
        if self.labels is not None:
            seen.append(self.labels(labels).movedim(-1, 1))
        volume = padded(torch.cat([part.to(state.dtype) for part in seen], 1), self.config.stride)
        hidden = self.enter(voxels_joined(volume, self.config.joined).contiguous(memory_format=torch.channels_last_3d))
        skips = []
        for level, blocks in enumerate(self.before):
            hidden = self._through(blocks, hidden, embedding)
            if level < len(self.down):
                skips.append(hidden)
                hidden = self.down[level](hidden)
        if self.attention is not None:
            hidden = self.attention(hidden)
        for level in reversed(range(len(self.after))):
            if level < len(skips):
                hidden = skips[level] + F.interpolate(self.up[level](hidden), scale_factor=2)
            hidden = self._through(self.after[level], hidden, embedding)
        estimate = voxels_apart(self.leave(F.silu(voxel_norm(hidden))).float(), self.config.joined)
        return estimate[:, :, :k, :j, :i].contiguous()

    def _blocks(self, width: int) -> nn.ModuleList:
        return nn.ModuleList(ConditionedBlock(width, self.config.embedding) for _ in range(self.config.blocks))

    def _through(self, blocks: nn.Module, x: Tensor, embedding: Tensor) -> Tensor:
        for block in cast(nn.ModuleList, blocks):
            x = block(x, embedding)
        return x


class ConditionedBlock(nn.Module):
    """x + conv(SiLU(scale * norm(conv(SiLU(norm(x)))) + shift)), which starts as the identity.

    The embedding gives the scale and the shift of every channel. The norm is that of a voxel: none over space, so a
    patch is treated as the whole image is; without any, trainings ran away. Source: Perez et al., FiLM (AAAI 2018).
    """

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv3d(width, width, 3, padding=1), nn.Conv3d(width, width, 3, padding=1)
        self.film = nn.Linear(embedding, 2 * width)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(torch.as_tensor(self.second.bias))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Return (B, width, K, J, I) of ``x``, under ``embedding`` (B, E)."""
        scale, shift = self.film(F.silu(embedding))[:, :, None, None, None].chunk(2, 1)
        hidden = voxel_norm(self.first(F.silu(voxel_norm(x)))) * (1 + scale) + shift
        return x + self.second(F.silu(hidden))


class Attention(nn.Module):
    """x + attention among all voxels of x, whose channels are normalized first; starts as the identity.

    Source: Vaswani et al., Attention is all you need (NeurIPS 2017), eq. 1, with several heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, width, K, J, I) of ``x``."""
        tokens = x.flatten(2).mT
        parts = self.query_key_value(self.norm(tokens)).unflatten(2, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return x + self.project(mixed).mT.unflatten(2, x.shape[2:])


def voxel_norm(x: Tensor) -> Tensor:
    """Return ``x`` (B, C, K, J, I) with a mean square of 1 over the channels of each voxel. Source: RMSNorm, 2019."""
    return x * (x.float().square().mean(1, keepdim=True) + _FLOOR).rsqrt().to(x.dtype)


def voxels_joined(images: Tensor, side: int) -> Tensor:
    """Return (B, C side^3, K/side, J/side, I/side) of ``images`` (B, C, K, J, I), whose sizes ``side`` divides."""
    if side == 1:
        return images
    for axis in (2, 4, 6):  # each split moves the axes behind it by one
        images = images.unflatten(axis, (-1, side))
    return images.permute(0, 1, 3, 5, 7, 2, 4, 6).flatten(1, 4)


def voxels_apart(images: Tensor, side: int) -> Tensor:
    """Return (B, C, side K, side J, side I) of ``images`` (B, C side^3, K, J, I): what ``voxels_joined`` took."""
    if side == 1:
        return images
    parts = images.unflatten(1, (-1, side, side, side)).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return parts.flatten(6, 7).flatten(4, 5).flatten(2, 3)
