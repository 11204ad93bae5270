"""The denoiser of DiffuseReg: from a noised field, its time and a pair of images to the noise in the field."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from DiffusionCore.checks import check_shape
from DiffusionCore.networks.blocks import TimedBlock, TimeEmbedding, UpBlock
from DiffusionCore.networks.swin import Seen, SwinBlock, SwinConfig, SwinEncoder, SwinRecorder, WindowAttention
from DiffusionCore.networks.voxelmorph import padded
from DiffusionCore.networks.windows import Triple, Windows


@dataclass(frozen=True)
class DiffuseRegConfig:
    """The size of the network; the defaults are the published ones.

    Attributes:
        swin: both transformers: that of the field, and that of the images. Its width is that of the time embedding.
        roles: "alike" shows moving and fixed image in the same way, as published: the network cannot tell which is
            which, but by what they show (there the heart at two fixed phases). "told" adds a learned vector to each.

    Raises:
        ValueError: the numbers do not fit together.
    """

    swin: SwinConfig = field(default_factory=SwinConfig)
    roles: Literal["alike", "told"] = "alike"

    def __post_init__(self) -> None:
        if self.swin.width % 2:
            raise ValueError(f"'swin.width' must be even, got {self.swin.width}")


@dataclass(frozen=True, eq=False)
class Condition:
    """All that the denoiser needs to know of pairs of images; made once, used at every step.

    Attributes:
        size: voxels (k, j, i) of the images.
        layouts: how each block cuts its tokens.
        apart: for each block, the tokens (N, L, L) that do not see each other; None where there are none.
        known: for each block, keys and values (2, B, N, heads, 2 L, width) of the moving and of the fixed image.
    """

    size: Triple
    layouts: list[Windows]
    apart: list[Tensor | None]
    known: list[Tensor]

    def repeated(self, count: int) -> Condition:
        """Return the condition of ``count`` samples of each pair, one after the other."""
        return replace(self, known=[pairs.repeat_interleave(count, 1) for pairs in self.known])


class DiffuseReg(nn.Module):
    """Estimate the noise in a field, knowing the images that it registers.

    ::

        moving, fixed -> Swin encoder, alone    -> tokens of every block, recorded once per pair
                                                     |  keys and values
        noised field  -> Swin encoder -> [time | moving | fixed | field] in every window -> features
        time          -> embedding -^        features and field -> U-Net of TimedBlocks -> noise

    Queries come from the field alone: of the published 97 tokens that attend to each other in a window of 32, the
    other outputs are thrown away there. For the same reason keys and values of the images depend on the pair alone.
    Any size of image: it is padded to whole tokens, and the result cut back.

    Source: Zhuo and Shen, DiffuseReg (MICCAI 2024); mean and deviation of the images per pair instead of per batch, all
    eight neighbors in a merge (the published code forgets two) and the padding are our own.
    """

    def __init__(self, config: DiffuseRegConfig) -> None:
        super().__init__()
        self.config = config
        swin, width = config.swin, config.swin.width
        self.time = TimeEmbedding(width, nn.SiLU)
        self.images = SwinRecorder(1, swin)
        self.field = SwinEncoder(3, swin)
        self.tokens = nn.ModuleList(nn.Linear(width, level) for level in swin.widths)
        self.roles = (
            nn.ParameterList(nn.Parameter(0.02 * torch.randn(2, level)) for level in swin.widths)
            if config.roles == "told"
            else None
        )
        widths = (*swin.widths, 2 * swin.widths[-1])
        self.enter = TimedBlock(3, width, embedding=width)
        self.skips = nn.ModuleList(TimedBlock(level, level, embedding=width) for level in widths[:-2])
        self.bottom = TimedBlock(widths[-1], widths[-1], embedding=width)
        self.ups = nn.ModuleList(UpBlock(2 * level, level, embedding=width) for level in reversed(widths[:-1]))
        self.top = UpBlock(width, width, embedding=width)
        self.leave = nn.Conv3d(width, 3, 1)

    def forward(self, images: Tensor, field: Tensor, times: Tensor) -> Tensor:
        """Return the estimate (B, 3, K, J, I) of the noise in ``field``, as ``denoise`` does, for these ``images``."""
        return self.denoise(self.encode(images), field, times)

    def encode(self, images: Tensor) -> Condition:
        """Return the condition of ``images`` (B, 2, K, J, I), channels (fixed, moving), on one grid, any intensities.

        Raises:
            ValueError: the shape does not fit.
        """
        check_shape(images, "B 2 K J I", name="images")
        k, j, i = images.shape[2:]
        volumes = padded(_standardized(images), self.config.swin.stride)
        layouts = self.config.swin.layouts((volumes.shape[2], volumes.shape[3], volumes.shape[4]))
        apart = [windows.apart(images.device) for windows in layouts]
        both = volumes.transpose(0, 1).reshape(-1, 1, *volumes.shape[2:])  # the fixed images, then the moving ones
        recorded = self.images(both, layouts, apart)
        known = [self._known(number, tokens) for number, tokens in enumerate(recorded)]
        return Condition((k, j, i), layouts, apart, known)

    def denoise(self, condition: Condition, field: Tensor, times: Tensor) -> Tensor:
        """Return the estimate (B, 3, K, J, I) of the noise in ``field`` (B, 3, K, J, I) at ``times`` (B,).

        Raises:
            ValueError: the shapes do not fit each other or the condition.
        """
        k, j, i = condition.size
        check_shape(field, f"{condition.known[0].shape[1]} 3 {k} {j} {i}", name="field")
        check_shape(times, f"{len(field)}", name="times")
        embedding = self.time(times)
        shown = [token(F.silu(embedding))[:, None, None] for token in self.tokens]  # (B, 1, 1, width) each

        def attend(number: int, tokens: Tensor) -> Tensor:
            attention = self._attention(number)
            time = attention.keys_values(shown[self.field.levels[number]])
            return attention(tokens, condition.apart[number], Seen(time, condition.known[number]))

        volume = padded(field, self.config.swin.stride)
        features = self.field(volume, condition.layouts, attend)
        x = self.bottom(features[-1], embedding)
        for level, up in zip(reversed(range(len(self.ups))), self.ups, strict=True):
            skip = self.skips[level](features[level], embedding) if level < len(self.skips) else features[level]
            x = up(x, skip, embedding)
        x = self.top(x, self.enter(volume, embedding), embedding)
        return self.leave(x)[:, :, :k, :j, :i]

    def _known(self, number: int, tokens: Tensor) -> Tensor:
        """Return keys and values (2, B, N, heads, 2 L, width) of ``tokens`` (2 B, N, L, width): fixed, then moving."""
        sets = tokens.unflatten(0, (2, -1))
        if self.roles is not None:
            sets = sets + self.roles[self.field.levels[number]][:, None, None, None]
        fixed, moving = sets
        return self._attention(number).keys_values(torch.cat([moving, fixed], 2))

    def _attention(self, number: int) -> WindowAttention:
        return cast(SwinBlock, self.field.blocks[number]).attention


def _standardized(images: Tensor) -> Tensor:
    """Return ``images`` (B, 2, K, J, I) with mean 0 and deviation 1, each pair as a whole."""
    flat = images.flatten(1)
    return F.layer_norm(flat, flat.shape[1:]).view(images.shape)
