"""Windows: a volume of tokens cut into boxes that attend within themselves, every second time half a window further."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Windows:
    """How a volume of tokens is cut.

    ::

        n = 12, window 4, shift 2       tokens   0 1 2 3 4 5 6 7 8 9 . .     padded to whole windows, rolled by 2
                                        windows  [2 3 4 5] [6 7 8 9] [. . 0 1]     . . and 0 1 are kept apart

    Along an axis of a single window nothing is shifted. Padding never mixes with tokens.

    Attributes:
        size: tokens along (k, j, i).
        window: tokens of a window along (k, j, i).
        shifted: whether the windows lie half a window further.
        masked: whether tokens that only the roll brings into one window are kept apart.

    Source: Liu et al., Swin transformer (ICCV 2021), section 3.2; the mask of the padding is our own.
    """

    size: Triple
    window: Triple
    shifted: bool
    masked: bool = True

    @property
    def padded(self) -> Triple:
        """The tokens along (k, j, i) after padding to whole windows."""
        k, j, i = (math.ceil(n / w) * w for n, w in zip(self.size, self.window, strict=True))
        return k, j, i

    @property
    def shift(self) -> Triple:
        """The tokens along (k, j, i) by which the windows are moved."""
        k, j, i = (w // 2 if self.shifted and n > w else 0 for n, w in zip(self.padded, self.window, strict=True))
        return k, j, i

    def split(self, tokens: Tensor) -> Tensor:
        """Return the windows (B, N, L, C) of ``tokens`` (B, K, J, I, C)."""
        (k, j, i), (wk, wj, wi) = self.padded, self.window
        after = [(0, p - n) for p, n in zip(self.padded, self.size, strict=True)]
        rolled = F.pad(tokens, (0, 0, *after[2], *after[1], *after[0])).roll([-s for s in self.shift], (1, 2, 3))
        boxes = rolled.reshape(len(tokens), k // wk, wk, j // wj, wj, i // wi, wi, -1)
        return boxes.permute(0, 1, 3, 5, 2, 4, 6, 7).flatten(4, 6).flatten(1, 3)

    def join(self, windows: Tensor) -> Tensor:
        """Return the tokens (B, K, J, I, C) of ``windows`` (B, N, L, C): the inverse of ``split``."""
        (k, j, i), (wk, wj, wi) = self.padded, self.window
        boxes = windows.reshape(len(windows), k // wk, j // wj, i // wi, wk, wj, wi, -1)
        rolled = boxes.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(len(windows), k, j, i, -1)
        return rolled.roll(self.shift, (1, 2, 3))[:, : self.size[0], : self.size[1], : self.size[2]]

    def apart(self, device: torch.device | None = None) -> Tensor | None:
        """Return which tokens must not see each other, (N, L, L), or None where all of a window may."""
        parts = torch.zeros((1, *self.padded, 1), dtype=torch.int64, device=device)
        for axis, (n, padded, shift) in enumerate(zip(self.size, self.padded, self.shift, strict=True), 1):
            place = torch.arange(padded, device=device)
            part = 2 * (place >= n).long()
            if self.masked:
                part = part + (place < shift).long()  # what the roll takes from one end to the other
            parts = parts + part.view([-1 if other == axis else 1 for other in range(5)]) * 4**axis
        if not parts.any():
            return None
        # ``split`` pads nothing here: all tokens of the padded volume are given
        rolled = Windows(self.padded, self.window, self.shifted).split(parts)[0, :, :, 0]
        return rolled[:, :, None] != rolled[:, None, :]


def relative_places(window: Triple) -> Tensor:
    """Return for each pair of tokens of a window the number (L, L) of the offset between them."""
    axes = torch.meshgrid(*(torch.arange(w) for w in window), indexing="ij")
    tokens = torch.stack([axis.flatten() for axis in axes], -1)
    offsets = tokens[:, None] - tokens[None] + torch.tensor(window) - 1
    counts = [2 * w - 1 for w in window]
    return (offsets[..., 0] * counts[1] + offsets[..., 1]) * counts[2] + offsets[..., 2]
