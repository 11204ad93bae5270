"""Blocks of the 3D networks: time embedding, residual blocks that halve or double, and heads for any size of image."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def sinusoidal(times: Tensor, width: int) -> Tensor:
    """Return sines and cosines (B, width), float32, of ``times`` (B,), with periods from 2 pi to 20 000 pi.

    Source: Vaswani et al., Attention is all you need (NeurIPS 2017), section 3.5.
    """
    rates = torch.exp(torch.arange(width // 2, device=times.device) * (-math.log(10_000) / (width // 2)))
    angles = times.float()[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], -1)


class TimeEmbedding(nn.Module):
    """times (B,) -> sinusoids -> linear -> activation -> linear: (B, width)."""

    def __init__(self, width: int, activation: type[nn.Module] = nn.GELU) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(nn.Linear(width, 4 * width), activation(), nn.Linear(4 * width, width))

    def forward(self, times: Tensor) -> Tensor:
        """Return the embedding (B, width) of ``times`` (B,)."""
        return self.layers(sinusoidal(times, self.width))


class DownBlock(nn.Module):
    """A pre-activation residual block that halves the image, rounding up; subclasses say how a condition enters.

    ::

        x -> norm, SiLU, conv 3 stride 2 -> condition, norm, SiLU -> conv 3 -> + -> out
          `------------------- max pool 2 -> conv 1 if channels change --------'
    """

    def __init__(self, inputs: int, outputs: int, *, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs)
        self.conv1 = nn.Conv3d(inputs, outputs, 3, stride=2, padding=1)
        self.norm2 = nn.GroupNorm(groups, outputs)
        self.conv2 = nn.Conv3d(outputs, outputs, 3, padding=1)
        self.pool = nn.MaxPool3d(2, ceil_mode=True)
        self.skip = nn.Conv3d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor, classes: Tensor) -> Tensor:
        """Return (B, outputs, K/2, J/2, I/2) of ``x``, under ``embedding`` (B, E) and ``classes`` (B,)."""
        hidden = self.conv1(F.silu(self.norm1(x)))
        hidden = self.conv2(F.silu(self.conditioned(hidden, embedding, classes)))
        return hidden + self.skip(self.pool(x))

    def conditioned(self, hidden: Tensor, embedding: Tensor, classes: Tensor) -> Tensor:
        """Return ``hidden`` (B, outputs, K, J, I), normalized and conditioned."""
        raise NotImplementedError


class FilmDownBlock(DownBlock):
    """DownBlock with the condition as a scale and a shift of every channel after the norm; both start at none.

    Source: Perez et al., FiLM (AAAI 2018), eq. 2.
    """

    def __init__(self, inputs: int, outputs: int, *, embedding: int, groups: int) -> None:
        super().__init__(inputs, outputs, groups=groups)
        self.film = nn.Linear(embedding, 2 * outputs)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def conditioned(self, hidden: Tensor, embedding: Tensor, classes: Tensor) -> Tensor:
        """Return norm(hidden) * (1 + scale) + shift."""
        scale, shift = self.film(F.silu(embedding))[:, :, None, None, None].chunk(2, 1)
        return self.norm2(hidden) * (1 + scale) + shift


class ShiftDownBlock(DownBlock):
    """DownBlock with the condition added before the norm: a linear map of the time, and a table of classes if any.

    Source: published spatial diffusion system.
    """

    def __init__(self, inputs: int, outputs: int, *, embedding: int, groups: int, classes: int) -> None:
        super().__init__(inputs, outputs, groups=groups)
        self.time = nn.Linear(embedding, outputs)
        self.classes = nn.Embedding(classes + 1, outputs) if classes else None

    def conditioned(self, hidden: Tensor, embedding: Tensor, classes: Tensor) -> Tensor:
        """Return norm(hidden + time + class)."""
        shift = self.time(F.gelu(embedding))
        if self.classes is not None:
            shift = shift + self.classes(classes)
        return self.norm2(hidden + shift[:, :, None, None, None])


class TimedBlock(nn.Module):
    """A residual block of two convolutions with the time as a shift of every channel between them.

    ::

        x -> conv 3, norm, LeakyReLU -> + time -> conv 3, norm -> + -> LeakyReLU -> out
          `------------------ conv 1, norm if channels change ----'

    Source: Hatamizadeh et al., UNETR (WACV 2022), its residual block; the shift is that of DiffuseReg.
    """

    def __init__(self, inputs: int, outputs: int, *, embedding: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv3d(outputs, outputs, 3, padding=1, bias=False)
        self.skip = nn.Conv3d(inputs, outputs, 1, bias=False) if inputs != outputs else None
        self.time = nn.Linear(embedding, outputs)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Return (B, outputs, K, J, I) of ``x`` (B, inputs, K, J, I), under ``embedding`` (B, E)."""
        hidden = F.leaky_relu(instance_norm(self.conv1(x)))
        hidden = hidden + self.time(F.silu(embedding))[:, :, None, None, None]
        kept = x if self.skip is None else instance_norm(self.skip(x))
        return F.leaky_relu(instance_norm(self.conv2(hidden)) + kept)


class UpBlock(nn.Module):
    """x -> transposed conv 2 stride 2 -> join with the features of that size -> TimedBlock. Source: UNETR."""

    def __init__(self, inputs: int, outputs: int, *, embedding: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose3d(inputs, outputs, 2, 2, bias=False)
        self.block = TimedBlock(2 * outputs, outputs, embedding=embedding)

    def forward(self, x: Tensor, features: Tensor, embedding: Tensor) -> Tensor:
        """Return (B, outputs, 2 K, 2 J, 2 I) of ``x`` (B, inputs, K, J, I) and ``features`` of the larger size."""
        return self.block(torch.cat([self.up(x), features], 1), embedding)


def instance_norm(x: Tensor) -> Tensor:
    """Return ``x`` (B, C, K, J, I) with mean 0 and variance 1 in every channel of every item; one voxel becomes 0."""
    flat = x.flatten(2)
    return F.layer_norm(flat, flat.shape[-1:]).view(x.shape)


class MomentHead(nn.Module):
    """From features of any size to numbers: the mean of every channel and its three first moments, then one linear map.

    The moments, means of feature x position in [-1, 1], say *where* a feature is, which a plain mean forgets. The map
    starts at zero. Source: our own.
    """

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(4 * channels, outputs)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs) of ``x`` (B, channels, K, J, I)."""
        features = [x.mean((2, 3, 4))]
        for axis in (4, 3, 2):
            n = x.shape[axis]
            position = (2 * torch.arange(n, device=x.device, dtype=x.dtype) + 1) / n - 1
            profile = x.mean([other for other in (2, 3, 4) if other != axis])
            features.append(profile @ position / n)
        return self.linear(torch.cat(features, 1))
