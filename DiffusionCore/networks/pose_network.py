"""From one image to the pose of what it shows in a canonical frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from DiffusionCore.checks import check_range, check_shape

_GROUPS = 8  # of the group norms


@dataclass(frozen=True)
class PoseNetworkConfig:
    """The window that the network sees, and its widths.

    Attributes:
        size: voxels along each side of the window; a multiple of 8.
        spacing: mm between the voxels of the window.
        center: RAS mm of the origin of the canonical frame (the default is the middle of the ICBM brain).
        widths: channels at a half, a quarter and an eighth of the window.
        hidden: width of the layer before the output.

    Raises:
        ValueError: a number is out of its range.
    """

    size: int = 32
    spacing: float = 6.0
    center: tuple[float, float, float] = (0.0, -17.0, 6.0)
    widths: tuple[int, int, int] = (32, 64, 96)
    hidden: int = 128

    def __post_init__(self) -> None:
        check_range(self, 8, math.inf, "size")
        check_range(self, 1, math.inf, "hidden")
        check_range(self, 1e-3, math.inf, "spacing")
        if self.size % 8:
            raise ValueError(f"'size' must be a multiple of 8, got {self.size}")
        if min(self.widths) < 1 or any(width % _GROUPS for width in self.widths):
            raise ValueError(f"'widths' must be multiples of {_GROUPS}, got {self.widths}")


class PoseNetwork(nn.Module):
    """Regress the affine pose of an image, one image at a time.

    ::

        window n^3 -> n/2 x w0 x2 -> n/4 x w1 x2 -> n/8 x w2 x2 -> flat -> hidden -> 12

    No time enters: the image itself shows how far it is from its canonical pose. Source: our own; comparing pairs of
    images learned 4 to 5 times more slowly.
    """

    def __init__(self, config: PoseNetworkConfig) -> None:
        super().__init__()
        self.config = config
        layers, channels = [], 1
        for level, width in enumerate(config.widths):
            layers += _layer(channels, width, kernel=4 if level == 0 else 3, stride=2) + _layer(width, width)
            channels = width
        self.body = nn.Sequential(*layers)
        wide = nn.Linear(channels * (config.size // 8) ** 3, config.hidden)
        last = nn.Linear(config.hidden, 12)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.head = nn.Sequential(nn.Flatten(), wide, nn.SiLU(), last)

    def forward(self, images: Tensor) -> Tensor:
        """Return the poses (B, 4, 4), float32, of ``images`` (B, 1, n, n, n).

        A pose takes points of the canonical frame, mm from its center, to the window, mm from its middle.
        """
        size = self.config.size
        check_shape(images, f"B 1 {size} {size} {size}", name="images")
        numbers = self.head(self.body(images)).float()
        linear = torch.eye(3, device=images.device) + numbers[:, :9].view(-1, 3, 3)
        shift = 50 * numbers[:, 9:, None]  # 50 mm bring translations to the range of the matrix entries
        last = torch.tensor([0.0, 0.0, 0.0, 1.0], device=images.device).expand(len(images), 1, 4)
        return torch.cat([torch.cat([linear, shift], -1), last], 1)


def _layer(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv3d(inputs, outputs, kernel, stride, padding=1, bias=False),
        nn.GroupNorm(_GROUPS, outputs),
        nn.SiLU(),
    ]
