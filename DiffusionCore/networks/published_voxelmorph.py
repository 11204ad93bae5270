"""The two published forms of VoxelMorph: the small network of the first paper, and that of the reference program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from DiffusionCore.checks import check_shape
from DiffusionCore.networks.voxelmorph import padded

_ENCODER = (16, 32, 32, 32)
_DECODER = 32  # channels of its four convolutions
_SLOPE = 0.2
_HALVINGS = 4


@dataclass(frozen=True)
class PublishedVoxelMorphConfig:
    """Which form: "paper", the small one of the first paper, or "reference", that of the reference program."""

    form: Literal["paper", "reference"] = "reference"

    @property
    def force_window(self) -> None:
        """No force is seen beside the images (``VoxelMorphConfig.force_window``)."""
        return


class PublishedVoxelMorph(nn.Module):
    """Estimate the field between a fixed and a moving image.

    ::

        paper      n/2 16 - n/4 32 - n/8 32 - n/16 32 - 32, up - 32, up - 32, up - 32 - 8, up - 8 - field, n
                   (each halving is a convolution of stride 2; the images join the last step)
        reference  n 16 - n/2 32 - n/4 32 - n/8 32 - n/16 32, up - 32, up - 32, up - 32, up - 32 - 16 - 16 - field
                   (each halving takes the maximum of 2 x 2 x 2; the field is averaged to n/2)

    What the encoder saw joins at each size. All convolutions are of 3 voxels. ``stride``: image voxels per voxel of the
    field. Images of any size are padded by their border values, and the field is cropped.

    Source: Balakrishnan et al., An Unsupervised Learning Model for Deformable Medical Image Registration (CVPR 2018),
    variant 1, with 259 675 parameters; the reference program voxelmorph (VxmDense), with 327 331. Our own: padding, and
    the field of the paper is taken as a velocity, too (it was a displacement), so that it has an inverse.
    """

    def __init__(self, config: PublishedVoxelMorphConfig) -> None:
        super().__init__()
        self.config = config
        self._paper = config.form == "paper"
        self.stride = 1 if self._paper else 2
        stride = 2 if self._paper else 1
        self.encoder = nn.ModuleList(
            nn.Conv3d(inputs, outputs, 3, stride, 1) for inputs, outputs in zip((2, *_ENCODER), _ENCODER, strict=False)
        )
        skips = _ENCODER[-2::-1] if self._paper else _ENCODER[:0:-1]
        self.decoder = nn.ModuleList(
            nn.Conv3d(inputs, _DECODER, 3, padding=1) for inputs in (_ENCODER[-1], *(_DECODER + skip for skip in skips))
        )
        last = ((_DECODER, 8), (8 + 2, 8)) if self._paper else ((_DECODER + _ENCODER[0], 32), (32, 16), (16, 16))
        self.last = nn.ModuleList(nn.Conv3d(inputs, outputs, 3, padding=1) for inputs, outputs in last)
        self.field = nn.Conv3d(last[-1][1], 3, 3, padding=1)
        nn.init.normal_(self.field.weight, std=1e-5)
        nn.init.zeros_(torch.as_tensor(self.field.bias))

    def forward(self, images: Tensor) -> Tensor:
        """Return velocities (B, 3, K/s, J/s, I/s), float32, s = ``stride``, of ``images`` (B, 2, K, J, I).

        As for ``VoxelMorph.forward``: components (i, j, k) in voxels of the field's own grid, from fixed (channel 0)
        to moving (channel 1) points.
        """
        check_shape(images, "B 2 K J I", name="images")
        size = [-(-n // self.stride) for n in images.shape[2:]]
        whole = padded(images, 2**_HALVINGS)
        field = self._paper_field(whole) if self._paper else self._reference_field(whole)
        return field.float()[:, :, : size[0], : size[1], : size[2]].contiguous()

    def _paper_field(self, images: Tensor) -> Tensor:
        seen = [images]
        for convolution in self.encoder:
            seen.append(_active(convolution, seen[-1]))
        hidden = _active(self.decoder[0], seen.pop())
        for convolution in self.decoder[1:]:
            hidden = _active(convolution, _joined(hidden, seen.pop()))
        hidden = _active(self.last[0], hidden)
        return self.field(_active(self.last[1], _joined(hidden, seen.pop())))

    def _reference_field(self, images: Tensor) -> Tensor:
        seen, hidden = [], images
        for convolution in self.encoder:
            seen.append(_active(convolution, hidden))
            hidden = F.max_pool3d(seen[-1], 2)
        for convolution in self.decoder:
            hidden = _joined(_active(convolution, hidden), seen.pop())
        for convolution in self.last:
            hidden = _active(convolution, hidden)
        return F.avg_pool3d(self.field(hidden), 2) / 2


def _active(convolution: nn.Module, x: Tensor) -> Tensor:
    return F.leaky_relu(convolution(x), _SLOPE)


def _joined(coarse: Tensor, fine: Tensor) -> Tensor:
    return torch.cat([F.interpolate(coarse, scale_factor=2), fine], 1)
