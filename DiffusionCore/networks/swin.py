"""A Swin transformer for volumes, whose attention may see further tokens beside those of its window."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from DiffusionCore.networks.windows import Triple, Windows, relative_places

_PATCH = 2  # voxels along each side of the cube that becomes a token


@dataclass(frozen=True)
class SwinConfig:
    """The size of the transformer; the defaults are those of DiffuseReg.

    Attributes:
        width: channels of a token at the first resolution; they double with each one that follows.
        depths: blocks at each resolution; every second one is shifted.
        heads: of the attention at each resolution.
        window: tokens of a window along (k, j, i).
        mask: "shift" keeps apart what the shift brings together from opposite ends; "none" is the published ablation.

    Raises:
        ValueError: the numbers do not fit together.
    """

    width: int = 120
    depths: tuple[int, ...] = (2, 2, 2, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    window: Triple = (2, 4, 4)
    mask: Literal["shift", "none"] = "shift"

    def __post_init__(self) -> None:
        if not self.depths or len(self.depths) != len(self.heads) or min(self.depths) < 1:
            raise ValueError(f"'depths' and 'heads' need a number per resolution, got {self.depths} and {self.heads}")
        if min(self.window) < 1:
            raise ValueError(f"'window' must be at least 1 along each axis, got {self.window}")
        if any(heads < 1 or width % heads for width, heads in zip(self.widths, self.heads, strict=True)):
            raise ValueError(f"'heads' must divide the widths {self.widths}, got {self.heads}")

    @property
    def widths(self) -> tuple[int, ...]:
        """The channels at each resolution."""
        return tuple(self.width * 2**level for level in range(len(self.depths)))

    @property
    def stride(self) -> int:
        """Voxels per token of the last features, along each axis."""
        return _PATCH * 2 ** len(self.depths)

    @property
    def levels(self) -> tuple[int, ...]:
        """The resolution of each block, 0 for the first one."""
        return tuple(level for level, depth in enumerate(self.depths) for _ in range(depth))

    def layouts(self, size: Triple) -> list[Windows]:
        """Return how each block cuts the tokens of a volume of ``size`` voxels (k, j, i), multiples of ``stride``."""
        layouts = []
        for level, depth in enumerate(self.depths):
            k, j, i = (n // (_PATCH * 2**level) for n in size)
            pair = [Windows((k, j, i), self.window, shifted, self.mask == "shift") for shifted in (False, True)]
            layouts += [pair[block % 2] for block in range(depth)]
        return layouts


@dataclass(frozen=True, eq=False)
class Seen:
    """What the tokens of a window see beside themselves, as keys and values (2, B, N or 1, heads, tokens, width).

    Attributes:
        everywhere: tokens without a place, the same in all windows.
        aligned: tokens at the places of the window, one set after the other.
    """

    everywhere: Tensor
    aligned: Tensor


class WindowAttention(nn.Module):
    """Attention within windows, with a learned bias for each offset between two tokens.

    ::

                 everywhere |  aligned  |  aligned  |   own        the bias, and the tokens that are kept apart,
        own          0      | bias,apart| bias,apart| bias,apart   are those of the window for each aligned set
    """

    places: Tensor

    def __init__(self, width: int, heads: int, window: Triple) -> None:
        super().__init__()
        self.heads = heads
        self.enter = nn.Linear(width, 3 * width)
        self.leave = nn.Linear(width, width)
        places = relative_places(window)
        self.bias = nn.Parameter(torch.empty(math.prod(2 * w - 1 for w in window), heads))
        nn.init.trunc_normal_(self.bias, std=0.02)
        self.register_buffer("places", places, persistent=False)

    def keys_values(self, tokens: Tensor) -> Tensor:
        """Return keys and values (2, B, N, heads, L, width / heads) of ``tokens`` (B, N, L, width)."""
        width = tokens.shape[-1]
        both = F.linear(tokens, self.enter.weight[width:], self.enter.bias[width:])
        return both.unflatten(-1, (2, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)

    def forward(self, tokens: Tensor, apart: Tensor | None, seen: Seen | None = None) -> Tensor:
        """Return the new ``tokens`` (B, N, L, width), of which those of ``apart`` (N, L, L) do not see each other."""
        batch, count, length, width = tokens.shape
        queries = F.linear(tokens, self.enter.weight[:width], self.enter.bias[:width])
        queries = queries.unflatten(-1, (self.heads, -1)).transpose(2, 3)
        known, bias = self.keys_values(tokens), self._bias(apart)
        if seen is not None:
            everywhere = seen.everywhere.expand(-1, -1, count, -1, -1, -1)
            sets = seen.aligned.shape[-2] // length + 1
            bias = torch.cat([bias.new_zeros(*bias.shape[:-1], everywhere.shape[-2]), *[bias] * sets], -1)
            known = torch.cat([everywhere, seen.aligned, known], -2)
        keys, values = known.flatten(1, 2)
        bias = bias.to(queries.dtype).expand(count, -1, -1, -1).repeat(batch, 1, 1, 1)
        found = F.scaled_dot_product_attention(queries.flatten(0, 1), keys, values, attn_mask=bias)
        return self.leave(found.transpose(1, 2).reshape(batch, count, length, width))

    def _bias(self, apart: Tensor | None) -> Tensor:
        """Return what is added to the scores: (N or 1, heads, L, L)."""
        bias = self.bias[self.places].movedim(-1, 0)[None]
        return bias if apart is None else bias.masked_fill(apart[:, None], -torch.inf)


class SwinBlock(nn.Module):
    """x -> x + attention(norm(x)) -> x + perceptron(norm(x)) of tokens (B, K, J, I, width)."""

    def __init__(self, width: int, heads: int, window: Triple) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = WindowAttention(width, heads, window)
        self.norm2 = nn.LayerNorm(width)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, windows: Windows, attend: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the tokens after the block; ``attend`` maps normalized ``windows`` (B, N, L, width) of them."""
        x = x + windows.join(attend(windows.split(self.norm1(x))))
        return x + self.perceptron(self.norm2(x))


class Merge(nn.Module):
    """Eight neighboring tokens (B, K, J, I, width) become one of twice the width; K, J and I must be even."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8 * width)
        self.linear = nn.Linear(8 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, K/2, J/2, I/2, 2 width) of ``x``."""
        b, k, j, i, width = x.shape
        cubes = x.view(b, k // 2, 2, j // 2, 2, i // 2, 2, width).permute(0, 1, 3, 5, 2, 4, 6, 7)
        return self.linear(self.norm(cubes.flatten(4)))


class SwinEncoder(nn.Module):
    """From a volume to features at a half, a quarter, ... of it; who attends to what is decided by the caller.

    Source: Liu et al. (ICCV 2021); Hatamizadeh et al., Swin UNETR (BrainLes 2021) for volumes.
    """

    def __init__(self, channels: int, config: SwinConfig) -> None:
        super().__init__()
        self.levels = config.levels
        self.embed = nn.Conv3d(channels, config.width, _PATCH, _PATCH)
        self.blocks = nn.ModuleList(_blocks(config))
        self.merges = nn.ModuleList(Merge(width) for width in config.widths)

    def forward(
        self, volume: Tensor, layouts: Sequence[Windows], attend: Callable[[int, Tensor], Tensor]
    ) -> list[Tensor]:
        """Return the normalized features (B, width, k, j, i) at a half of ``volume`` (B, C, K, J, I), a quarter, ...

        ``attend(number, tokens)`` gives what the block ``number`` makes of its windows (B, N, L, width).
        """
        x = self.embed(volume).movedim(1, -1)
        features = [_channels_first(x)]
        for number, block in enumerate(self.blocks):
            x = block(x, layouts[number], partial(attend, number))
            if self.levels[number + 1 :][:1] != (self.levels[number],):  # the last block at its resolution
                x = self.merges[self.levels[number]](x)
                features.append(_channels_first(x))
        return features


class SwinRecorder(nn.Module):
    """From a volume to the normalized windows that enter each block of a Swin transformer; nothing follows the last."""

    def __init__(self, channels: int, config: SwinConfig) -> None:
        super().__init__()
        self.levels = config.levels
        self.embed = nn.Conv3d(channels, config.width, _PATCH, _PATCH)
        self.blocks = nn.ModuleList(_blocks(config)[:-1])
        self.merges = nn.ModuleList(Merge(width) for width in config.widths[:-1])
        self.norm = nn.LayerNorm(config.widths[-1])

    def forward(self, volume: Tensor, layouts: Sequence[Windows], apart: Sequence[Tensor | None]) -> list[Tensor]:
        """Return windows (B, N, L, width) for each block of ``layouts``, of ``volume`` (B, C, K, J, I)."""
        x = self.embed(volume).movedim(1, -1)
        recorded: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            attend = partial(_recorded_attention, recorded, cast(SwinBlock, block).attention, apart[number])
            x = block(x, layouts[number], attend)
            if self.levels[number + 1] != self.levels[number]:
                x = self.merges[self.levels[number]](x)
        return [*recorded, layouts[-1].split(self.norm(x))]


def _blocks(config: SwinConfig) -> list[SwinBlock]:
    return [SwinBlock(config.widths[level], config.heads[level], config.window) for level in config.levels]


def _recorded_attention(
    recorded: list[Tensor], attention: WindowAttention, apart: Tensor | None, tokens: Tensor
) -> Tensor:
    recorded.append(tokens)
    return attention(tokens, apart)


def _channels_first(tokens: Tensor) -> Tensor:
    return F.layer_norm(tokens, tokens.shape[-1:]).movedim(-1, 1)
